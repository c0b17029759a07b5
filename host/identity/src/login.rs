//! A login by name and password, as strangers may try it: counted, and alike for everybody (security items 36, 37).

use agamid_core::id::OrgId;

use crate::lockout::{Account, Origin};
use crate::{Identity, IdentityError, Person};

impl Identity {
    /// The person, if login and password are right, and no lock holds: here, or in the directory that they came from. For
    /// unknown, disabled, password-less and locked people, and whatever their hash was imported from, a refusal is the same:
    /// `None`, after the same hashes, lookups and one commit.
    pub async fn log_in(
        &self,
        organisation: &OrgId,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<Option<Person>, IdentityError> {
        let known = self.persons.by_login(organisation, login).await?;
        let account = match &known {
            Some(person) => Account::of_person(&person.id),
            None => Account::of_nobody(organisation, login),
        };
        let allowed = self.lockout.allows(&account, origin).await?;
        let mut right = self.passwords.check(known, password, allowed).await?;
        if let Some(checked) = &right
            && self.directories.is_source_of(&checked.person.id).await?
        {
            right = None;
        }
        let mut found = None;
        if right.is_none() {
            found = self.directories.authenticate(organisation, login, password, allowed).await?;
        }
        // Asked again after the work: of many guesses at once those that end after the limit count for nothing.
        if (right.is_some() || found.is_some()) && self.lockout.allows(&account, origin).await? {
            if let Some(right) = right {
                self.passwords.accepted(&right, password).await?;
                found = Some(right.person);
            }
            return Ok(found);
        }
        // Refused as if it were wrong: who guesses learns nothing, not even that a guess was right.
        self.lockout.failed(&account, origin).await?;
        Ok(None)
    }

    /// Changes a person's password for themselves, who knows the old one. A wrong old one is counted like one at login.
    pub async fn change_password(
        &self,
        person: &Person,
        old: &str,
        new: &str,
        origin: &Origin,
    ) -> Result<Changed, IdentityError> {
        let (organisation, login) = (&person.organisation, &person.username);
        let Some(person) = self.log_in(organisation, login, old, origin).await? else {
            return Ok(Changed::WrongPassword);
        };
        if self.directories.is_source_of(&person.id).await? {
            return Ok(Changed::Refused(vec![crate::password::policy::Violation::Directory]));
        }
        let by = crate::password::ChangedBy::Person;
        match self.passwords.set_by(&person, new, by, person.id.as_str()).await {
            Ok(()) => Ok(Changed::Yes),
            Err(IdentityError::Password(violations)) => Ok(Changed::Refused(violations)),
            Err(error) => Err(error),
        }
    }
}

/// What became of a change of password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It is changed.
    Yes,
    /// The old one is wrong, or no more may be tried now.
    WrongPassword,
    /// The new one breaks these rules.
    Refused(Vec<crate::password::policy::Violation>),
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod two_nodes;
