//! What every plugin serves beside its own service: the end, a broker for further connections (none are made), and standard
//! output (none is written).

use tokio::sync::{mpsc, watch};
use tonic::{Request, Response, Status, Streaming};

use super::accept::Receiving;
use crate::protocol::plugin::grpc_broker_server::GrpcBroker;
use crate::protocol::plugin::grpc_controller_server::GrpcController;
use crate::protocol::plugin::grpc_stdio_server::GrpcStdio;
use crate::protocol::plugin::{ConnInfo, Empty, StdioData};

/// Tells everybody that the server is to end.
#[derive(Clone, Debug)]
pub(super) struct Ending(watch::Sender<bool>);

impl Ending {
    pub(super) fn new() -> Self {
        Self(watch::channel(false).0)
    }

    pub(super) fn begin(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn begun(&self) {
        // It can't fail: the sender is here.
        let _ = self.0.subscribe().wait_for(|begun| *begun).await;
    }

    /// A stream that says nothing and ends when the server does.
    fn silence<T: Send + 'static>(&self) -> Receiving<Result<T, Status>> {
        let (sender, receiver) = mpsc::channel(1);
        let ending = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ending.begun() => {}
                () = sender.closed() => {}
            }
        });
        Receiving(receiver)
    }
}

#[tonic::async_trait]
impl GrpcController for Ending {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.begin();
        Ok(Response::new(Empty {}))
    }
}

#[tonic::async_trait]
impl GrpcBroker for Ending {
    type StartStreamStream = Receiving<Result<ConnInfo, Status>>;

    async fn start_stream(
        &self,
        _: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(self.silence()))
    }
}

#[tonic::async_trait]
impl GrpcStdio for Ending {
    type StreamStdioStream = Receiving<Result<StdioData, Status>>;

    async fn stream_stdio(
        &self,
        _: Request<()>,
    ) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(self.silence()))
    }
}
