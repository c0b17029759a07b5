//! Exports: everything in a store as it stood at one moment, as a file; and back into an empty store of any backend.
//!
//! ```text
//! {"agamid_export":{"format":1,"version":"0.1.0","at":…,"backend":"sled","kinds":[{"name":"person","schema":1},…]}}
//! {"record":{"kind":"person","key":"01J…","version":3,"schema":1,"expires_at":null},"document":{…}}
//! {"link":{"chain":"01J…","sequence":1,"at":…,"event":"{…}","previous":"00…","hash":"5f…"}}
//! {"chain_end":{"chain":"01J…","sequence":1,"hash":"5f…"}}
//! {"changes":true}
//! {"deleted":{"kind":"session","key":"01J…"}}
//! {"end":{"counts":{"records":…,"deleted":…,"links":…,"chains":…},"sha256":"…"}}
//! ```
//!
//! One JSON value a line. One-time records, used ones too, are records of the kind `one_time`. Behind `changes` stands
//! what was written while the lines before were read (only an embedded store has such): there the same key may come
//! again or be deleted, and the last line about a key is the one that counts. The last line counts what stands in the
//! file and holds the SHA-256 of every byte before it.
//!
//! | file | what |
//! | --- | --- |
//! | `line` | the lines |
//! | `envelope` | encryption: the form of a file that is not plain |
//! | `reading` | a file, opened and checked |
//! | `import`, `compare` | what is done with it |

mod compare;
mod envelope;
mod import;
mod line;
mod reading;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::backend::item::Item;
use crate::error::StoreError;
use crate::read::to_hex;
use crate::store::Store;

pub use compare::Difference;
pub use envelope::{Protection, Sealing};
pub use import::{ImportOptions, Imported};
pub use reading::{ExportFile, Summary};

use line::{Counts, KindLine, Line, Manifest};

/// The form of the lines that this code writes and reads.
const FORMAT: u32 = 1;

/// How many pieces may wait for whoever writes them away.
const WAITING: usize = 4;

/// An export under way: pieces of a file, in order. Dropping it ends it.
pub struct Export {
    pieces: mpsc::Receiver<Result<Vec<u8>, StoreError>>,
}

impl Export {
    /// The next piece; `None` at the end. After an error there is no more, and what came before is no whole export.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, StoreError>> {
        self.pieces.recv().await
    }
}

impl Store {
    /// Begins an export of everything as it stands now. Others may go on writing.
    ///
    /// # Errors
    /// `Invalid` where the key can't be made of the passphrase.
    pub async fn export(&self, protection: Protection) -> Result<Export, StoreError> {
        let env = self.env.clone();
        let sealing = tokio::task::spawn_blocking(move || Sealing::begin(&protection, &env))
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))??;
        let (send_items, items) = mpsc::channel(WAITING);
        let (send, pieces) = mpsc::channel(WAITING);
        let backend = Arc::clone(&self.backend);
        let reading = tokio::spawn(async move { backend.dump(&send_items).await });
        let mut writer = Writer { sealing, sha: Sha256::new(), counts: Counts::default(), send };
        let manifest = self.manifest();
        tokio::spawn(async move {
            let written = writer.write(&manifest, items).await;
            let read = reading.await.unwrap_or_else(|e| Err(StoreError::Unavailable(e.to_string())));
            // The closing line says that the whole is there. Where writing failed, reading failed for want of a reader.
            let closed = match written.and(read) {
                Ok(()) => writer.close().await,
                Err(error) => Err(error),
            };
            if let Err(error) = closed {
                let _gone = writer.send.send(Err(error)).await;
            }
        });
        Ok(Export { pieces })
    }

    fn manifest(&self) -> Manifest {
        let kinds = self.kinds.iter().flat_map(|kinds| kinds.iter());
        Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: self.env.now().0,
            backend: self.scheme.to_owned(),
            kinds: kinds.map(|kind| KindLine { name: kind.name.to_owned(), schema: kind.schema }).collect(),
        }
    }
}

/// Makes pieces of items.
struct Writer {
    sealing: Sealing,
    sha: Sha256,
    counts: Counts,
    send: mpsc::Sender<Result<Vec<u8>, StoreError>>,
}

impl Writer {
    async fn write(
        &mut self,
        manifest: &Manifest,
        mut items: mpsc::Receiver<Vec<Item>>,
    ) -> Result<(), StoreError> {
        self.lines(Line::AgamidExport(manifest.clone()).to_bytes()?).await?;
        while let Some(items) = items.recv().await {
            let mut bytes = Vec::new();
            for item in items {
                self.counts.add(&item);
                bytes.extend(line::of_item(item)?);
            }
            self.lines(bytes).await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<(), StoreError> {
        let sha256 = to_hex(&self.sha.finalize_reset());
        let end = Line::End { counts: self.counts.clone(), sha256 }.to_bytes()?;
        let mut last = self.sealing.push(&end)?;
        last.extend(self.sealing.finish()?);
        self.hand(last).await
    }

    async fn lines(&mut self, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.sha.update(&bytes);
        let piece = self.sealing.push(&bytes)?;
        self.hand(piece).await
    }

    async fn hand(&mut self, piece: Vec<u8>) -> Result<(), StoreError> {
        if piece.is_empty() {
            return Ok(());
        }
        let gone = |_| StoreError::Unavailable("nobody takes the export any more".to_owned());
        self.send.send(Ok(piece)).await.map_err(gone)
    }
}
