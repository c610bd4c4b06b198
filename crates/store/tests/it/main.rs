//! Stores in a folder and on a real S3 server.

mod damage;
mod garbage;
mod keys;
mod kit;
mod layers;
mod locks;
mod manifests;
mod network;
mod places;
