//! What `agamid doctor` asks about the signing keys. Nothing is made or changed.

use agamid_core::Env;
use agamid_core::jose::SigningAlgorithm;
use agamid_core::seal::Sealer;
use agamid_store::{Finding, Severity, Store, StoreError};
use arc_swap::ArcSwap;

use super::record::SigningKeyRecord;
use super::{KeyRing, SLACK, Schedule};
use crate::settings::OauthSettings;

impl KeyRing {
    /// What is wrong with the keys of a store that no server of this process uses.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub async fn inspect(
        env: &Env,
        store: &Store,
        sealer: &Sealer,
        settings: &OauthSettings,
    ) -> Result<Vec<Finding>, StoreError> {
        let ring = Self {
            env: env.clone(),
            store: store.clone(),
            sealer: sealer.clone(),
            schedule: Schedule::of(settings),
            ring: ArcSwap::default(),
        };
        ring.findings().await
    }

    /// What is wrong with the stored keys.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub async fn findings(&self) -> Result<Vec<Finding>, StoreError> {
        let records = SigningKeyRecord::all(&self.store).await?;
        let mut found = Vec::new();
        for record in records.iter().map(|found| &found.record) {
            if let Err(error) = record.open(&self.sealer) {
                found.push(Finding::new(
                    Severity::Error,
                    format!("signing_key {}", record.kid),
                    error.to_string(),
                    "put the envelope key that this store was made with where secrets.envelope_key_file says",
                ));
            }
        }
        let now = self.env.now();
        for algorithm in SigningAlgorithm::ALL {
            let of = || records.iter().map(|found| &found.record).filter(|key| key.algorithm == algorithm);
            let active = of().filter(|key| key.active_from <= now).map(|key| key.active_from).max();
            let place = format!("signing keys {}", algorithm.name());
            match (active, self.schedule.rotation) {
                (None, _) => found.push(Finding::new(
                    Severity::Note,
                    place,
                    "there is none that signs",
                    "nothing: a server makes one when it starts",
                )),
                (Some(active), Some(rotation))
                    if active.plus(rotation).plus(SLACK) < now && !of().any(|key| key.active_from > now) =>
                {
                    let what = format!("the active one signs since {active}: its successor is overdue");
                    let remedy =
                        "start a server, which makes it; where one runs, see its log for signing_key.";
                    found.push(Finding::new(Severity::Warning, place, what, remedy));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
