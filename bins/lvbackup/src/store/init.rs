//! `lvbackup init`: an empty place becomes a store.

use cli::{Common, Outcome, Stop, say};
use serde_json::json;
use store::{Location, Store};

use super::open;

/// Make a store in an empty place
///
/// A folder is made where there is none; a bucket must be there. A place that holds anything else is left as it is.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// As one JSON object on standard output
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup init /backup/store
  AWS_ENDPOINT=https://minio.example AWS_REGION=us-east-1 lvbackup init s3://bucket/hosts/web1

Keys of --json: id (what tells the store from all others, wherever it is moved), location.

Exit status: 0 where the store is made, 1 where there is one already or the place is not empty, 4 where it cannot be
reached.";

/// Makes the store.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    if args.json {
        cli::stdout()?;
    }
    let store = Store::init(&Location::parse(&args.store)?, &open::options(stop)?)?;
    let (id, location) = (store.id(), store.location().to_string());
    if args.json {
        let object = json!({ "id": id, "location": location });
        return cli::report(&format!("{object}\n"), &format!("store {id} is made"));
    }
    if !common.quiet {
        say(&format!("lvbackup: store {id} is in {location}"));
    }
    Ok(())
}
