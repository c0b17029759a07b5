//! Attempts of factors that plugins check, counted with those of passwords.

use agamid_core::BoxFuture;
use agamid_core::id::PersonId;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::ports::{Attempts, CallContext};
use agamid_identity::Identity;
use agamid_identity::lockout::{Account, Origin};

use crate::unavailable;

/// Counts in the identity store.
pub struct AccountAttempts(pub Identity);

/// Where a call comes from.
pub(crate) fn origin(context: &CallContext) -> Origin {
    Origin { address: context.address, browser: context.browser.clone() }
}

impl Attempts for AccountAttempts {
    fn allows<'a>(
        &'a self,
        context: &'a CallContext,
        person: &'a PersonId,
    ) -> BoxFuture<'a, Result<bool, CallError>> {
        Box::pin(async move {
            self.0.lockout.allows(&Account::of_person(person), &origin(context)).await.map_err(unavailable)
        })
    }

    fn failed<'a>(
        &'a self,
        context: &'a CallContext,
        person: &'a PersonId,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            self.0.lockout.failed(&Account::of_person(person), &origin(context)).await.map_err(unavailable)
        })
    }
}
