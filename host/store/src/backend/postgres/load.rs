//! Putting in place what an export holds: many rows in one flight, none where something lies already.

use super::failure::Failure;
use super::flight::{Begin, Step, Value, fly};
use super::layout::MARK;
use super::{Inner, audit, give_back, one_time};
use crate::backend::item::{Load, Loaded};
use crate::error::StoreError;
use crate::rules::{IMPORT, ONE_TIME, conflict};

const LINK: &str =
    "INSERT INTO audit (chain, sequence, at, event, previous, hash) VALUES ($1, $2, $3, $4, $5, $6)";
const END: &str = "INSERT INTO audit_chain (chain, sequence, hash) VALUES ($1, $2, $3)";
const UNMARK: &str = "DELETE FROM about WHERE name = $1";

impl Inner {
    pub(super) async fn load(&self, load: &Load) -> Result<(), StoreError> {
        let now = self.env.now();
        let (mut steps, mut places) = (Vec::new(), Vec::new());
        for item in &load.items {
            match item {
                Loaded::Record { document, .. } if document.kind == ONE_TIME => {
                    one_time::load(&mut steps, document, now)?;
                    places.resize(steps.len(), (ONE_TIME, document.key.as_str()));
                }
                Loaded::Record { document, version } => {
                    self.table(document.kind)?.load(&mut steps, document, *version, now)?;
                    places.resize(steps.len(), (document.kind, document.key.as_str()));
                }
                Loaded::Link { chain, sequence, link } => {
                    let values: Vec<Value> = vec![
                        Box::new(chain.clone()),
                        Box::new(audit::number(*sequence)),
                        Box::new(link.at.0),
                        Box::new(link.event.clone()),
                        Box::new(link.previous.to_vec()),
                        Box::new(link.hash.to_vec()),
                    ];
                    steps.push(Step { sql: LINK.into(), values });
                    places.push(("audit", chain.as_str()));
                }
                Loaded::End { chain, end } => {
                    let values: Vec<Value> = vec![
                        Box::new(chain.clone()),
                        Box::new(audit::number(end.sequence)),
                        Box::new(end.hash.to_vec()),
                    ];
                    steps.push(Step { sql: END.into(), values });
                    places.push(("audit", chain.as_str()));
                }
            }
        }
        steps.push(match &load.marker {
            Some(marker) => {
                Step { sql: MARK.into(), values: vec![Box::new(IMPORT), Box::new(marker.clone())] }
            }
            None => Step { sql: UNMARK.into(), values: vec![Box::new(IMPORT)] },
        });
        let mut lane = self.lane().await?;
        let landed = self.in_time(async { Ok(fly(&mut lane, Begin::New, &steps).await) }).await;
        let landed = match landed {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((at, failure))) => Err(because(failure, places.get(at))),
            Err(silence) => Err(silence),
        };
        give_back(lane, landed).map_err(Failure::into_store_error)
    }
}

impl Inner {
    pub(super) async fn is_empty(&self) -> Result<bool, StoreError> {
        let mut tables: Vec<String> = self.tables.keys().map(|kind| format!("r_{kind}")).collect();
        tables.extend(["one_time".to_owned(), "audit".to_owned()]);
        for table in tables {
            if !self.rows(&format!("SELECT 1 FROM {table} LIMIT 1").into(), &[]).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) async fn about(&self, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM about WHERE name = $1".into();
        let rows = self.rows(&sql, &[Box::new(name.to_owned())]).await?;
        let value = rows.first().map(|row| row.try_get(0)).transpose();
        value.map_err(|error| Failure::from(error).into_store_error())
    }
}

/// Names what lies there already.
fn because(failure: Failure, place: Option<&(&'static str, &str)>) -> Failure {
    let Some((kind, key)) = place else { return failure };
    if failure.is_unmet() {
        return conflict(kind, key, "there is one already").into();
    }
    match failure.taken() {
        Some(_) if *kind == "audit" => conflict(kind, key, "there is a chain of this name already").into(),
        Some(index) => {
            conflict(kind, key, format!("unique index {index}: another record has this value")).into()
        }
        None => failure,
    }
}
