//! Appending to the node's audit chain.

use agamid_core::time::Timestamp;

use crate::audit::{AuditEvent, ChainEnd, Link};
use crate::backend::keyspace::Read;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::Overlay;
use crate::rules::NODE;
use crate::stored::corrupt;

pub(crate) fn append(
    view: &mut Overlay<'_>,
    events: &[AuditEvent],
    now: Timestamp,
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let node =
        view.get(&keys::about(NODE))?.ok_or_else(|| corrupt("audit", NODE, "the store has no node id"))?;
    let node = String::from_utf8(node).map_err(|e| corrupt("audit", NODE, e.to_string()))?;
    let mut end = match view.get(&keys::chain_end(&node))? {
        Some(bytes) => ChainEnd::from_bytes(&node, &bytes)?,
        None => ChainEnd::default(),
    };
    for event in events {
        let event = serde_json::to_vec(event)
            .map_err(|e| StoreError::Invalid(format!("an audit event cannot be written as JSON: {e}")))?;
        let link = Link::after(&end, &node, now, event);
        end = ChainEnd { sequence: end.sequence + 1, hash: link.hash };
        view.put(keys::audit(&node, end.sequence), link.to_bytes()?);
    }
    view.put(keys::chain_end(&node), end.to_bytes()?);
    Ok(())
}
