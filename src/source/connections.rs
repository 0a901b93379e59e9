//! Connections to the API that several requests share: a company after the other is asked over the same one, so that
//! a thousand of them cost one handshake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// Connections that are kept open between requests, until the last owner is dropped.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// Looks after the connections while nobody asks.
    runtime: Option<Runtime>,
    /// By whether they are plain and whether they stay on this machine.
    clients: HashMap<(bool, bool), reqwest::Client>,
}

impl Connections {
    /// The client for URLs of a kind, made by `make` where there is none yet, and the runtime that its connections
    /// live on.
    ///
    /// # Errors
    /// `System`: this machine has no thread or descriptor left. What `make` says.
    pub(super) fn client(
        &self,
        is_plain: bool,
        is_loopback: bool,
        make: impl FnOnce() -> Result<reqwest::Client>,
    ) -> Result<(Handle, reqwest::Client)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = match &kept.runtime {
            Some(runtime) => runtime.handle().clone(),
            None => {
                let mut builder = Builder::new_multi_thread();
                let builder = builder.worker_threads(1).thread_name("connections").enable_all();
                kept.runtime.insert(builder.build().map_err(unusable)?).handle().clone()
            }
        };
        let client = match kept.clients.get(&(is_plain, is_loopback)) {
            Some(client) => client.clone(),
            None => {
                let client = make()?;
                kept.clients.insert((is_plain, is_loopback), client.clone());
                client
            }
        };
        Ok((handle, client))
    }
}

/// The error of a machine on which nothing can wait for the network.
pub(super) fn unusable(error: std::io::Error) -> Error {
    Error::system(format!("The network cannot be used: {error}.")).caused_by(error)
}
