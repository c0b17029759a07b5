use agamid_core::jose::{self, Expected};
use agamid_core::random::SeededRng;
use agamid_core::seal::EnvelopeKey;
use agamid_core::time::ManualClock;

use super::*;

const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Es256;
const DAY: Duration = Duration::from_secs(24 * 3600);

struct House {
    clock: Arc<ManualClock>,
    store: Store,
    sealer: Sealer,
    env: Env,
    settings: OauthSettings,
}

impl House {
    async fn new() -> Self {
        agamid_core::jose::install_crypto_provider();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let env = Env { clock: Arc::clone(&clock) as _, rng: Arc::new(SeededRng::new(7)) };
        let store = Store::memory(env.clone()).await.unwrap();
        let sealer = Sealer::new(EnvelopeKey::of_secret("test"), env.clone());
        let settings = OauthSettings { key_rotation: 90 * 24 * 3600, ..OauthSettings::default() };
        Self { clock, store, sealer, env, settings }
    }

    async fn node(&self) -> KeyRing {
        KeyRing::open(&self.env, &self.store, &self.sealer, &self.settings).await.unwrap()
    }

    fn verifies(&self, ring: &KeyRing, jwt: &str) -> bool {
        let expected = Expected {
            typ: &["JWT"],
            algorithms: &SigningAlgorithm::ALL,
            kid_required: true,
            now: self.env.now(),
            skew: 10,
            expired_too: true,
        };
        jose::verify(jwt, &ring.jwks(), &expected).is_ok()
    }
}

fn ages(ring: &KeyRing) -> Vec<(String, Age)> {
    let all = ring.status().into_iter().filter(|key| key.algorithm == ALGORITHM);
    all.map(|key| (key.kid, key.age)).collect()
}

fn signed_by(ring: &KeyRing) -> (String, String) {
    let jwt = ring.sign(ALGORITHM, "JWT", &json!({ "exp": 4_000_000_000_i64 })).unwrap();
    let header: Value = serde_json::from_slice(
        &base64::Engine::decode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            jwt.split('.').next().unwrap(),
        )
        .unwrap(),
    )
    .unwrap();
    (header["kid"].as_str().unwrap().to_owned(), jwt)
}

#[tokio::test]
async fn a_key_is_published_a_day_before_it_signs_and_until_its_last_token_is_over() {
    let house = House::new().await;
    let ring = house.node().await;
    let [(first, Age::Active)] = &ages(&ring)[..] else { panic!("{:?}", ages(&ring)) };
    house.clock.advance(DAY * 88);
    ring.maintain().await.unwrap();
    assert_eq!(ages(&ring).len(), 1);

    house.clock.advance(DAY + Duration::from_secs(1));
    ring.maintain().await.unwrap();
    let [(second, Age::Next), (old, Age::Active)] = &ages(&ring)[..] else { panic!("{:?}", ages(&ring)) };
    assert_eq!(old, first);
    let (kid, jwt) = signed_by(&ring);
    assert_eq!(&kid, first, "a next key signs nothing");

    house.clock.advance(DAY);
    assert_eq!(&signed_by(&ring).0, second, "the change comes with the clock, not with a job");
    assert!(house.verifies(&ring, &jwt), "what the old key signed is still good");

    house.clock.advance(DAY + Duration::from_secs(61));
    ring.maintain().await.unwrap();
    assert_eq!(ages(&ring), [(second.clone(), Age::Active)]);
    assert!(!house.verifies(&ring, &jwt), "no other key stands in for it");
    assert_eq!(SigningKeyRecord::all(&house.store).await.unwrap().len(), SigningAlgorithm::ALL.len());
}

#[tokio::test]
async fn nodes_agree_on_one_next_key_and_survive_a_restart() {
    let house = House::new().await;
    let (a, b) = (house.node().await, house.node().await);
    assert_eq!(signed_by(&a).0, signed_by(&b).0);
    let (one, other) = tokio::join!(a.rotate("ada"), b.rotate("ada"));
    one.unwrap();
    other.unwrap();
    a.maintain().await.unwrap();
    assert_eq!(ages(&a), ages(&b));
    assert_eq!(ages(&a).iter().filter(|(_, age)| *age == Age::Next).count(), 1);
    a.rotate("ada").await.unwrap();
    assert_eq!(ages(&a).len(), 2, "rotating twice makes no third key");
    assert_eq!(ages(&house.node().await), ages(&a));
}

#[tokio::test]
async fn a_revoked_key_is_dead_at_once_and_another_signs() {
    let house = House::new().await;
    let ring = house.node().await;
    let (first, jwt) = signed_by(&ring);
    ring.revoke(&first, "ada").await.unwrap();
    let (second, _) = signed_by(&ring);
    assert_ne!(first, second);
    assert!(!house.verifies(&ring, &jwt));
    assert!(!ring.document().windows(first.len()).any(|part| part == first.as_bytes()));

    ring.rotate("ada").await.unwrap();
    let next = ages(&ring).into_iter().find(|(_, age)| *age == Age::Next).unwrap().0;
    ring.revoke(&second, "ada").await.unwrap();
    assert_eq!(signed_by(&ring).0, next, "the published next key takes over");

    ring.rotate("ada").await.unwrap();
    let next = ages(&ring).into_iter().find(|(_, age)| *age == Age::Next).unwrap().0;
    let (active, _) = signed_by(&ring);
    ring.revoke(&next, "ada").await.unwrap();
    assert_eq!(ages(&ring), [(active, Age::Active)]);
    assert!(matches!(ring.revoke(&next, "ada").await, Err(KeyError::Unknown(_))));

    ring.rotate("ada").await.unwrap();
    house.clock.advance(DAY);
    ring.rotate("ada").await.unwrap();
    let before = ages(&ring);
    let [(_, Age::Next), (active, Age::Active), (old, Age::Old)] = &before[..] else { panic!("{before:?}") };
    ring.revoke(old, "ada").await.unwrap();
    assert_eq!(&signed_by(&ring).0, active, "an old key's end changes nothing for the others");
}
