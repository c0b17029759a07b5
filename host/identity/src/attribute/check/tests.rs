use serde_json::json;

use super::*;
use crate::attribute::Schema;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn write(name: &str, value: Value) -> Result<Value, String> {
    write_over(name, value, None, Writer::Administrator)
}

fn write_over(name: &str, value: Value, old: Option<&Value>, writer: Writer) -> Result<Value, String> {
    let schema = Schema::core();
    checked(schema.get(name).unwrap(), &value, old, writer, NOW).map_err(|error| error.to_string())
}

#[test]
fn what_is_of_the_wrong_type_is_refused_with_name_and_what_is_allowed() {
    let cases = [
        ("given_name", json!(5), "given_name: must be text"),
        ("given_name", json!(["a"]), "given_name: has one value: write no list"),
        ("given_name", json!(""), "given_name: is empty; write null to remove it"),
        ("given_name", json!("a\u{0}b"), "given_name: holds a control character or NUL; remove it"),
        ("given_name", json!("a\nb"), "given_name: holds a control character or NUL; remove it"),
        ("given_name", json!("é".repeat(257)), "given_name: has 257 characters, at most 256 are allowed"),
        ("emails", json!("a@example.org"), "emails: has several values: write a list"),
        ("emails", json!(["a@example.org"]), "emails[0]: must be an object of sub-attributes"),
        ("emails", json!([{ "type": "work" }]), "emails[0].value: is missing"),
        (
            "emails",
            json!([{ "value": "no address" }]),
            "emails[0].value: must be a mail address like name@example.org",
        ),
        (
            "emails",
            json!([{ "value": "a@b.org", "primary": "yes" }]),
            "emails[0].primary: must be true or false",
        ),
        (
            "phones",
            json!([{ "value": "044 123" }]),
            "phones[0].value: must be a phone number like +41441234567",
        ),
        ("website", json!("javascript:alert(1)"), "website: must be an http or https URL"),
        ("birthdate", json!("2023-02-29"), "birthdate: must be a date like 2026-03-01"),
        ("manager", json!("somebody"), "manager: must be the id of a person of the same organisation"),
        ("zoneinfo", json!("a b"), "zoneinfo: must be a time zone like Europe/Zurich"),
        ("locale", json!("1_x"), "locale: must be a language tag like de-CH"),
    ];
    for (name, value, expected) in cases {
        assert_eq!(write(name, value.clone()).unwrap_err(), expected, "{name} {value}");
    }
    let unknown = write("addresses", json!([{ "planet": "Mars" }])).unwrap_err();
    assert!(unknown.starts_with("addresses[0].planet: there is no such sub-attribute; there are formatted"));
}

#[test]
fn lists_are_bounded_without_twins_and_with_one_primary() {
    let many: Vec<Value> = (0..21).map(|n| json!({ "value": format!("a{n}@example.org") })).collect();
    assert_eq!(write("emails", many.into()).unwrap_err(), "emails: has 21 values, at most 20 are allowed");
    let twins = json!([{ "value": "a@example.org" }, { "value": "A@Example.org" }]);
    assert_eq!(write("emails", twins).unwrap_err(), "emails[1]: has the same value twice");
    let two = json!([{ "value": "a@b.org", "primary": true }, { "value": "c@b.org", "primary": true }]);
    assert_eq!(write("emails", two).unwrap_err(), "emails: has more than one primary value; mark one");
    let kept = write("emails", json!([{ "value": "a@b.org" }, { "value": "c@b.org" }])).unwrap();
    assert_eq!(kept[0]["primary"], true);
    assert!(kept[1].get("primary").is_none());
}

#[test]
fn times_are_kept_in_utc_and_dates_may_hide_the_year() {
    for date in ["1970-01-31", "0000-02-29", "2000-02-29", "1999"] {
        assert_eq!(write("birthdate", json!(date)).unwrap(), json!(date));
    }
    for date in
        ["1900-02-29", "2001-13-01", "2001-00-10", "2001-01", "99-01-01", "0000", "2001-1-1", "２００１"]
    {
        assert!(write("birthdate", json!(date)).is_err(), "{date}");
    }
    let time = simple("t", AttributeType::Timestamp, 100, Format::Any, &json!("2026-03-01T12:00:00+01:00"));
    assert_eq!(time.unwrap(), json!("2026-03-01T11:00:00.000Z"));
    let number = |value| simple("n", AttributeType::Integer, 100, Format::Any, &value);
    assert!(number(json!(9_007_199_254_740_991_i64)).is_ok());
    for bad in [json!(9_007_199_254_740_992_i64), json!(1.5), json!("1"), json!(true)] {
        assert!(number(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_proof_stays_with_its_address_and_is_lost_with_it() {
    let old = write("emails", json!([{ "value": "a@b.org", "verified": true }])).unwrap();
    assert_eq!(old[0]["verified_at"], NOW.to_string());
    let over = |value| write_over("emails", value, Some(&old), Writer::Person);
    let same = over(json!([{ "value": "A@b.org", "type": "home" }])).unwrap();
    assert_eq!((&same[0]["verified"], &same[0]["verified_at"]), (&json!(true), &json!(NOW.to_string())));
    let echoed = over(old.clone()).unwrap();
    assert_eq!(echoed, old);
    let other = over(json!([{ "value": "new@b.org" }])).unwrap();
    assert_eq!(other[0]["verified"], false);
    assert!(other[0].get("verified_at").is_none());
    let stolen = over(json!([{ "value": "new@b.org", "verified": true }])).unwrap_err();
    assert_eq!(stolen, "emails[0].verified: it is read-only for you");
    let revoked = write_over(
        "emails",
        json!([{ "value": "a@b.org", "verified": false }]),
        Some(&old),
        Writer::Administrator,
    );
    assert!(revoked.unwrap()[0].get("verified_at").is_none());
}

#[test]
fn no_value_whatever_makes_the_check_panic() {
    let odd = [
        json!(null),
        json!([]),
        json!([[]]),
        json!([{}]),
        json!({}),
        json!({ "value": {} }),
        json!(-0.0),
        json!("\u{10ffff}"),
        json!([null]),
        json!("-"),
        json!("+"),
        json!("@"),
        json!("http://"),
        json!("--"),
    ];
    for attribute in Schema::core().all() {
        for value in &odd {
            let list = json!([value]);
            for value in [value, &list] {
                let _ = checked(attribute, value, Some(value), Writer::Person, NOW);
            }
        }
    }
}
