//! The server as a program: `s3-server ROOT PORT`. Prints the client's environment, one `NAME=value` a line, then serves.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "what it prints is what it is asked for")]

use std::path::Path;

use lexopt::ValueExt;

fn main() -> Result<(), lexopt::Error> {
    let mut arguments = lexopt::Parser::from_env();
    let mut values = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Value(value) => values.push(value),
            other => return Err(other.unexpected()),
        }
    }
    let [root, port] = values.as_slice() else { return Err("usage: s3-server ROOT PORT".into()) };
    let server = s3_server::Server::start(Path::new(root), port.parse()?)
        .map_err(|error| lexopt::Error::Custom(error.into()))?;
    for (key, value) in s3_server::Server::environment(server.address()) {
        println!("{key}={value}");
    }
    loop {
        std::thread::park();
    }
}
