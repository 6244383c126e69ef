package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	plugin "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

// gpus offers devices that are simulated: the kubelet gives them out as it does real ones, and a container is told which it has.
type gpus struct {
	plugin.UnimplementedDevicePluginServer
	count int
}

func (*gpus) GetDevicePluginOptions(context.Context, *plugin.Empty) (*plugin.DevicePluginOptions, error) {
	return &plugin.DevicePluginOptions{}, nil
}

func (g *gpus) ListAndWatch(_ *plugin.Empty, stream plugin.DevicePlugin_ListAndWatchServer) error {
	devices := make([]*plugin.Device, g.count)
	for i := range devices {
		devices[i] = &plugin.Device{ID: fmt.Sprintf("simulated-%d", i), Health: plugin.Healthy}
	}
	if err := stream.Send(&plugin.ListAndWatchResponse{Devices: devices}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (*gpus) Allocate(_ context.Context, request *plugin.AllocateRequest) (*plugin.AllocateResponse, error) {
	response := &plugin.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		devices := map[string]string{"NVIDIA_VISIBLE_DEVICES": strings.Join(container.DevicesIds, ",")}
		response.ContainerResponses = append(response.ContainerResponses, &plugin.ContainerAllocateResponse{Envs: devices})
	}
	return response, nil
}

// gpuPlugin is a device plugin: gpu-plugin COUNT RESOURCE. A kubelet that is started anew takes its socket away; it ends then, and is
// started again by whoever started it.
func gpuPlugin(arguments []string) int {
	if err := offer(arguments); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func offer(arguments []string) error {
	if len(arguments) != 2 {
		return fmt.Errorf("gpu-plugin COUNT RESOURCE")
	}
	count, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	socket := plugin.DevicePluginPath + "mkys-gpu.sock"
	_ = os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	plugin.RegisterDevicePluginServer(server, &gpus{count: count})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client, err := grpc.NewClient("unix://"+plugin.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer client.Close()
	limit, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	request := &plugin.RegisterRequest{Version: plugin.Version, Endpoint: "mkys-gpu.sock", ResourceName: arguments[1]}
	if _, err := plugin.NewRegistrationClient(client).Register(limit, request); err != nil {
		return err
	}
	fmt.Println("offers", count, arguments[1])
	for range time.Tick(time.Second) {
		if _, err := os.Stat(socket); err != nil {
			return fmt.Errorf("the kubelet was started anew: %w", err)
		}
	}
	return <-served
}
