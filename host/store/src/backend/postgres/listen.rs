//! News of changes of cached records, from node to node. A database that can't tell (some relatives of PostgreSQL
//! can't) is no fault: then the cache's lifetime alone bounds how stale a record may be.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client};

use super::connect::Connector;
use super::failure::said;
use super::flight::Step;
use crate::cache::Cache;
use crate::error::StoreError;

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a silent connection is asked for a sign of life, and how long that may take.
const ALIVE: Duration = Duration::from_secs(10);

const TELL: &str = "SELECT pg_notify('agamid', $1)";
const LISTEN: &str = "LISTEN agamid";

/// Says that a record changed, to all nodes but this one, when the commit is done.
pub(super) fn tell(node: &str, kind: &str, key: &str) -> Step {
    Step { sql: TELL.into(), values: vec![Box::new(format!("{node}\n{kind}\n{key}"))] }
}

/// A connection that listens, and what it hears.
struct Ear {
    client: Client,
    heard: mpsc::Receiver<String>,
}

async fn connect(connector: &Connector) -> Result<Ear, tokio_postgres::Error> {
    let (client, mut connection) = connector.connect().await?;
    let (sender, heard) = mpsc::channel(1024);
    tokio::spawn(async move {
        while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(note)) => {
                    if sender.send(note.payload().to_owned()).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(event = "store.listener_lost", error = said(&error));
                    return;
                }
            }
        }
    });
    Ok(Ear { client, heard })
}

/// Starts listening; `None` where the database knows no such thing.
pub(super) async fn start(
    connector: Connector,
    node: String,
    cache: Arc<Cache>,
) -> Result<Option<JoinHandle<()>>, StoreError> {
    let silent = |_| StoreError::Unavailable("the database does not answer".to_owned());
    let ear = tokio::time::timeout(ALIVE, connect(&connector)).await.map_err(silent)?;
    let ear = ear.map_err(|error| super::failure::unavailable(&error))?;
    if let Err(error) = ear.client.batch_execute(LISTEN).await {
        tracing::warn!(event = "store.no_notifications", error = said(&error));
        return Ok(None);
    }
    Ok(Some(tokio::spawn(async move {
        let mut ear = ear;
        loop {
            hear(&mut ear, &node, &cache).await;
            ear = loop {
                tokio::time::sleep(PAUSE).await;
                let again = async {
                    let ear = connect(&connector).await?;
                    ear.client.batch_execute(LISTEN).await?;
                    Ok::<_, tokio_postgres::Error>(ear)
                };
                if let Ok(Ok(ear)) = tokio::time::timeout(ALIVE, again).await {
                    break ear;
                }
            };
            // What was said meanwhile is lost.
            cache.missed();
        }
    })))
}

/// Until the connection is lost.
async fn hear(ear: &mut Ear, node: &str, cache: &Cache) {
    loop {
        match tokio::time::timeout(ALIVE, ear.heard.recv()).await {
            Ok(Some(note)) => {
                let mut parts = note.splitn(3, '\n');
                if let (Some(from), Some(kind), Some(key)) = (parts.next(), parts.next(), parts.next())
                    && from != node
                {
                    cache.changed(kind, key);
                }
            }
            Ok(None) => return,
            Err(_) => match tokio::time::timeout(ALIVE, ear.client.batch_execute("SELECT 1")).await {
                Ok(Ok(())) => {}
                _ => return,
            },
        }
    }
}
