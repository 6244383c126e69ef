// Starts provider programs as a CLI does, with HashiCorp's own client and mutual TLS, and says as JSON how long each took
// and how much memory it has: `providers ROUNDS PROGRAM...`, the programs in turn.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// One start of a provider. Times are in milliseconds, memory in KiB.
type figures struct {
	Program   string  `json:"program"`
	Handshake float64 `json:"handshake"`
	Schema    float64 `json:"schema"`
	Memory    int     `json:"memory"`
}

// What a CLI puts into the environment, so that a provider knows that it was started by one.
var handshake = plugin.HandshakeConfig{
	MagicCookieKey:   "TF_PLUGIN_MAGIC_COOKIE",
	MagicCookieValue: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
}

// The connection as it is: the messages are not looked into.
type connection struct{ plugin.NetRPCUnsupportedPlugin }

func (connection) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return fmt.Errorf("this is a client")
}

func (connection) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// Messages as bytes.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func measure(program string) (figures, error) {
	found := figures{Program: program}
	command := exec.Command(program)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: map[int]plugin.PluginSet{5: {"provider": connection{}}, 6: {"provider": connection{}}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		Cmd:              command,
		Logger:           hclog.NewNullLogger(),
	})
	defer client.Kill()
	before := time.Now()
	if _, err := client.Start(); err != nil {
		return found, err
	}
	found.Handshake = milliseconds(before)
	before = time.Now()
	protocol, err := client.Client()
	if err != nil {
		return found, err
	}
	dispensed, err := protocol.Dispense("provider")
	if err != nil {
		return found, err
	}
	request, answer := []byte{}, []byte{}
	conn := dispensed.(*grpc.ClientConn)
	method := "/tfplugin6.Provider/GetProviderSchema"
	if client.NegotiatedVersion() == 5 {
		method = "/tfplugin5.Provider/GetSchema"
	}
	// a schema is larger than gRPC's own limit; CLIs allow 256 MiB
	limit := grpc.MaxCallRecvMsgSize(256 << 20)
	if err := conn.Invoke(context.Background(), method, &request, &answer, grpc.ForceCodec(raw{}), limit); err != nil {
		return found, err
	}
	found.Schema = milliseconds(before)
	if len(answer) == 0 {
		return found, fmt.Errorf("%s gave an empty schema", program)
	}
	found.Memory, err = memory(command.Process.Pid)
	return found, err
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// Resident memory of a process, in KiB, as proc(5) has it.
func memory(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}

func run() error {
	if len(os.Args) < 3 {
		return fmt.Errorf("usage: %s ROUNDS PROGRAM...", os.Args[0])
	}
	rounds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	all := []figures{}
	for round := range rounds + 1 {
		for _, program := range os.Args[2:] {
			found, err := measure(program)
			if err != nil {
				return fmt.Errorf("%s: %w", program, err)
			}
			// the first round reads the programs from the disk
			if round > 0 {
				all = append(all, found)
			}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
