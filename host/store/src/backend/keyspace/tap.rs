//! A tap: everything the writer changes from one moment to another, in order. With it a walk over a keyspace that
//! others write to becomes a picture of one moment: the changes are laid over what was walked.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Pair;
use crate::error::StoreError;
use crate::overlay::Changes;

/// What is kept in memory before it goes to a file.
const IN_MEMORY: usize = 4 << 20;

/// A change: a key, and its new value or none.
pub(crate) type Changed = (Vec<u8>, Option<Vec<u8>>);

/// Collects changes.
#[derive(Default)]
pub(crate) struct Tap(Mutex<Spool>);

#[derive(Default)]
struct Spool {
    pending: Vec<u8>,
    file: Option<File>,
    failed: Option<String>,
}

/// The writer's taps. One whose reader has gone is forgotten.
#[derive(Default)]
pub(crate) struct Taps(Vec<Weak<Tap>>);

impl Taps {
    pub(crate) fn open(&mut self, tap: &Weak<Tap>) {
        self.0.push(Weak::clone(tap));
    }

    pub(crate) fn close(&mut self, tap: &Weak<Tap>) {
        self.0.retain(|other| !Weak::ptr_eq(other, tap));
    }

    /// Hands on what was written, or that it is not known what was.
    pub(crate) fn hand(&mut self, changes: &Changes, written: &Result<(), StoreError>) {
        self.0.retain(|tap| {
            let Some(tap) = tap.upgrade() else { return false };
            match written {
                Ok(()) => tap.take(changes),
                Err(error) => tap.spool().failed = Some(error.to_string()),
            }
            true
        });
    }
}

impl Tap {
    fn spool(&self) -> MutexGuard<'_, Spool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, changes: &Changes) {
        let mut spool = self.spool();
        for (key, value) in changes {
            // Index entries and the like follow from the records.
            if matches!(key.first(), Some(b'r' | b'a' | b'h')) {
                spool.push(key, value.as_deref());
            }
        }
        if spool.pending.len() > IN_MEMORY
            && let Err(error) = spool.spill()
        {
            spool.failed = Some(format!("the temporary file of an export: {error}"));
        }
    }

    /// All changes in order, after the tap was closed.
    pub(crate) fn replay(self: Arc<Self>) -> Result<Replay, StoreError> {
        let mut spool = self.spool();
        if let Some(reason) = spool.failed.take() {
            return Err(StoreError::Unavailable(format!("the export ends here: {reason}")));
        }
        let pending = io::Cursor::new(std::mem::take(&mut spool.pending));
        let bytes: Box<dyn Read + Send> = match spool.file.take() {
            None => Box::new(pending),
            Some(mut file) => {
                file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
                Box::new(BufReader::new(file).chain(pending))
            }
        };
        Ok(Replay(bytes))
    }
}

impl Spool {
    fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        let parts = [Some(key), value];
        for part in parts {
            let length = part.map_or(u64::MAX, |part| u64::try_from(part.len()).unwrap_or(0));
            self.pending.extend(length.to_be_bytes());
            self.pending.extend_from_slice(part.unwrap_or_default());
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        file.write_all(&self.pending)?;
        self.file = Some(file);
        self.pending.clear();
        Ok(())
    }
}

/// Reads changes back.
pub(crate) struct Replay(Box<dyn Read + Send>);

impl Replay {
    fn part(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 8];
        self.0.read_exact(&mut length)?;
        let length = u64::from_be_bytes(length);
        if length == u64::MAX {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&mut self.0).take(length).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The next change.
    pub(crate) fn next(&mut self) -> Result<Option<Changed>, StoreError> {
        match self.part() {
            Ok(Some(key)) => Ok(Some((key, self.part().map_err(unreadable)?))),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Unavailable(format!("the temporary file of an export: {error}"))
}

/// A pair that was walked, as a change.
pub(super) fn walked((key, value): Pair) -> Changed {
    (key, Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back_in_order_from_memory_and_file_and_only_those_that_say_something() {
        let (mut taps, tap, deaf) = (Taps::default(), Arc::new(Tap::default()), Arc::new(Tap::default()));
        taps.open(&Arc::downgrade(&tap));
        taps.open(&Arc::downgrade(&deaf));
        let mut expected = Vec::new();
        for n in 0..100_u32 {
            let key = format!("rkind\0{:03}", n % 7).into_bytes();
            let value = (n % 5 > 0).then(|| vec![n.to_be_bytes()[3]; 150_000]);
            let mut changes = Changes::new();
            changes.insert(key.clone(), value.clone());
            changes.insert(b"ikind\0index\0value\0key".to_vec(), Some(Vec::new()));
            taps.hand(&changes, &Ok(()));
            expected.push((key, value));
        }
        assert!(tap.spool().file.is_some(), "nothing was spilled");
        taps.close(&Arc::downgrade(&tap));
        taps.hand(&Changes::from([(b"rafter\0x".to_vec(), None)]), &Ok(()));
        let mut replay = tap.replay().unwrap();
        for change in expected {
            assert!(replay.next().unwrap() == Some(change));
        }
        assert!(replay.next().unwrap().is_none());
        taps.hand(&Changes::new(), &Err(StoreError::Unavailable("the disk is full".to_owned())));
        let lost = deaf.replay().err();
        assert!(matches!(lost, Some(StoreError::Unavailable(reason)) if reason.contains("the disk is full")));
    }
}
