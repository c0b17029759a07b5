//! What a finished run is worth.

use agamid_core::id::PersonId;

use crate::owner::Finished;
use crate::ports::Proof;

impl Finished {
    /// The person the flow names: `data.userId`.
    pub fn user_id(&self) -> Option<&str> {
        self.outcome.data.as_map()?.get("userId")?.as_str().filter(|id| !id.is_empty())
    }

    /// How the person was proved to be here (`amr` values, in order, each once). Empty means: not at all.
    pub fn methods(&self, person: &PersonId) -> Vec<String> {
        let mut methods: Vec<String> = Vec::new();
        for Proof { method, .. } in self.proofs.iter().filter(|proof| proof.person == *person) {
            if !methods.contains(method) {
                methods.push(method.clone());
            }
        }
        methods
    }

    /// The `acr` of the ID token: what really ran, never its inputs.
    pub fn acr(&self) -> String {
        format!("agama_{}", self.flow)
    }
}
