//! Generates the messages and services of the protocol from `proto/`, without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for proto in ["proto/plugin.proto", "proto/provider.proto"] {
        println!("cargo:rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(["proto/plugin.proto", "proto/provider.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // A client is needed by the tests that speak to the server in process.
        .build_transport(false)
        .compile_well_known_types(false)
        .compile_fds(descriptors)?;
    Ok(())
}
