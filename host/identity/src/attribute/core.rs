//! The attributes that every server has: the standard claims of OpenID Connect Core section 5.1, and the core and
//! enterprise user of RFC 7643.

use std::collections::BTreeSet;

use super::{Access, Attribute, AttributeType, ClaimForm, Format, SubAttribute};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn attribute(name: &str, kind: AttributeType) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        sub_attributes: Vec::new(),
        multi_valued: false,
        unique: false,
        searchable: false,
        case_exact: false,
        max_length: super::default_length(),
        max_values: super::default_values(),
        format: Format::Any,
        read: Access::Person,
        write: Access::Person,
        claim: None,
        claim_form: ClaimForm::Whole,
        scopes: BTreeSet::new(),
        clients: BTreeSet::new(),
        scim: None,
        label: format!("attribute.{name}"),
        core: true,
        derived: false,
    }
}

fn text(name: &str) -> Attribute {
    attribute(name, AttributeType::Text)
}

fn sub(name: &str, kind: AttributeType) -> SubAttribute {
    SubAttribute {
        name: name.to_owned(),
        kind,
        required: false,
        max_length: super::default_length(),
        format: Format::Any,
        write: Access::Person,
    }
}

/// Several, of which one is the primary.
fn several(name: &str, scim: &str, value: SubAttribute) -> Attribute {
    let value = SubAttribute { required: true, ..value };
    Attribute {
        sub_attributes: vec![
            value,
            sub("type", AttributeType::Text),
            sub("display", AttributeType::Text),
            sub("primary", AttributeType::Boolean),
        ],
        multi_valued: true,
        ..attribute(name, AttributeType::Complex).scim(scim)
    }
}

/// Several that can be proved to be theirs.
fn provable(name: &str, scim: &str, value: SubAttribute) -> Attribute {
    let mut made = several(name, scim, value);
    let by_administrator = |sub: SubAttribute| SubAttribute { write: Access::Administrator, ..sub };
    made.sub_attributes.push(by_administrator(sub("verified", AttributeType::Boolean)));
    made.sub_attributes.push(by_administrator(sub("verified_at", AttributeType::Timestamp)));
    made.claim_form = ClaimForm::Primary;
    made
}

impl Attribute {
    fn claim(mut self, claim: &str, scope: &str) -> Self {
        self.claim = Some(claim.to_owned());
        self.scopes.insert(scope.to_owned());
        self
    }

    fn profile(self) -> Self {
        let claim = self.name.clone();
        self.claim(&claim, "profile")
    }

    fn scim(mut self, path: &str) -> Self {
        self.scim = Some(path.to_owned());
        self
    }

    fn enterprise(self, path: &str) -> Self {
        self.scim(&format!("{ENTERPRISE}:{path}")).administrative()
    }

    fn administrative(mut self) -> Self {
        self.write = Access::Administrator;
        self
    }

    fn searchable(mut self) -> Self {
        self.searchable = true;
        self
    }

    fn derived(mut self) -> Self {
        self.derived = true;
        self.write = Access::Nobody;
        self
    }
}

/// What people are called by.
fn names() -> Vec<Attribute> {
    vec![
        Attribute { unique: true, ..text("username").scim("userName").searchable().administrative() },
        Attribute {
            case_exact: true,
            ..text("external_id").scim("externalId").searchable().administrative()
        },
        text("name").profile().scim("name.formatted"),
        text("given_name").profile().scim("name.givenName").searchable(),
        text("middle_name").profile().scim("name.middleName"),
        text("family_name").profile().scim("name.familyName").searchable(),
        text("honorific_prefix").scim("name.honorificPrefix"),
        text("honorific_suffix").scim("name.honorificSuffix"),
        text("display_name").scim("displayName"),
        text("nickname").profile().scim("nickName"),
        text("preferred_username").profile(),
    ]
}

/// Where they are reached.
fn contacts() -> Vec<Attribute> {
    let mail = SubAttribute { max_length: 254, format: Format::Mail, ..sub("value", AttributeType::Text) };
    let phone = SubAttribute { max_length: 64, format: Format::Phone, ..sub("value", AttributeType::Text) };
    let lines = |name| SubAttribute { format: Format::Lines, ..sub(name, AttributeType::Text) };
    let address = Attribute {
        sub_attributes: vec![
            SubAttribute { max_length: 1024, ..lines("formatted") },
            lines("street_address"),
            sub("locality", AttributeType::Text),
            sub("region", AttributeType::Text),
            sub("postal_code", AttributeType::Text),
            sub("country", AttributeType::Text),
            sub("type", AttributeType::Text),
            sub("primary", AttributeType::Boolean),
        ],
        multi_valued: true,
        claim_form: ClaimForm::Primary,
        ..attribute("addresses", AttributeType::Complex).claim("address", "address").scim("addresses")
    };
    let ims = sub("value", AttributeType::Text);
    vec![
        provable("emails", "emails", mail).claim("email", "email").searchable(),
        attribute("email_verified", AttributeType::Boolean).claim("email_verified", "email").derived(),
        provable("phones", "phoneNumbers", phone).claim("phone_number", "phone").searchable(),
        attribute("phone_number_verified", AttributeType::Boolean)
            .claim("phone_number_verified", "phone")
            .derived(),
        address,
        several("ims", "ims", ims),
    ]
}

/// What else is in a profile.
fn profile() -> Vec<Attribute> {
    let url = |name| Attribute { max_length: 2048, ..attribute(name, AttributeType::Reference) };
    let photo = SubAttribute { max_length: 2048, ..sub("value", AttributeType::Reference) };
    vec![
        url("profile").profile().scim("profileUrl"),
        url("picture").profile(),
        url("website").profile(),
        several("photos", "photos", photo),
        text("gender").profile(),
        attribute("birthdate", AttributeType::Date).profile(),
        Attribute { format: Format::Zone, ..text("zoneinfo").profile().scim("timezone") },
        Attribute { format: Format::Language, ..text("locale").profile().scim("locale") },
        Attribute { format: Format::Language, ..text("preferred_language").scim("preferredLanguage") },
        attribute("updated_at", AttributeType::Timestamp).profile().derived(),
    ]
}

/// What they are to their organisation.
fn work() -> Vec<Attribute> {
    let value = || sub("value", AttributeType::Text);
    let certificate = SubAttribute { max_length: 8192, ..value() };
    vec![
        text("title").scim("title").administrative(),
        text("user_type").scim("userType").administrative(),
        Attribute { case_exact: true, ..text("employee_number").enterprise("employeeNumber").searchable() },
        text("cost_center").enterprise("costCenter"),
        text("company").enterprise("organization"),
        text("division").enterprise("division"),
        text("department").enterprise("department").searchable(),
        Attribute {
            case_exact: true,
            ..attribute("manager", AttributeType::Person).enterprise("manager.value").searchable()
        },
        several("entitlements", "entitlements", value()).administrative(),
        several("roles", "roles", value()).administrative(),
        Attribute {
            max_values: 4,
            ..several("x509_certificates", "x509Certificates", certificate).administrative()
        },
        Attribute { multi_valued: true, ..text("groups").claim("groups", "groups").scim("groups").derived() },
    ]
}

/// The table.
pub(crate) fn table() -> Vec<Attribute> {
    [names(), contacts(), profile(), work()].into_iter().flatten().collect()
}
