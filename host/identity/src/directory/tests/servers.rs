use std::time::Duration;

use tokio::net::TcpListener;

use super::*;

fn tls(slapd: &Slapd, mode: TlsMode, urls: Vec<String>) -> DirectorySettings {
    DirectorySettings { tls: mode, urls, ca_file: Some(slapd.ca_file()), ..settings(slapd) }
}

async fn reason(house: &House) -> String {
    let state = house.identity.directories.state().await.unwrap().remove(0);
    state.servers.iter().filter_map(|server| server.last_error.clone()).collect()
}

#[tokio::test]
async fn tls_and_starttls_check_who_the_server_is() {
    let slapd = Slapd::start("localhost", 0);
    let starttls = slapd.url().replace("127.0.0.1", "localhost");
    for settings in [
        tls(&slapd, TlsMode::Ldaps, vec![slapd.tls_url("localhost")]),
        tls(&slapd, TlsMode::StartTls, vec![starttls.clone()]),
    ] {
        assert!(house(vec![settings]).await.log_in("alice", PASSWORD).await.is_some());
    }
    let other = Slapd::start("localhost", 0);
    for settings in [
        tls(&slapd, TlsMode::Ldaps, vec![slapd.tls_url("127.0.0.1")]),
        tls(&slapd, TlsMode::StartTls, vec![slapd.url()]),
        DirectorySettings {
            ca_file: Some(other.ca_file()),
            ..tls(&slapd, TlsMode::Ldaps, vec![slapd.tls_url("localhost")])
        },
        DirectorySettings {
            ca_file: Some(other.ca_file()),
            ..tls(&slapd, TlsMode::StartTls, vec![starttls])
        },
    ] {
        let house = house(vec![settings]).await;
        let refused = house.try_log_in("alice", PASSWORD).await;
        assert!(matches!(refused, Err(IdentityError::Directory(DirectoryError::Unavailable(_)))));
        assert!(reason(&house).await.contains("certificate"), "{}", reason(&house).await);
    }
}

#[tokio::test]
async fn plain_ldap_and_files_without_certificates_are_refused_at_the_start() {
    let slapd = Slapd::start("localhost", 0);
    let identity = house(Vec::new()).await.identity;
    let start = |settings| identity.clone().with_directories(DirectoriesSettings(vec![settings])).map(|_| ());
    let plain = DirectorySettings { urls: vec!["ldap://ldap.example.org".into()], ..settings(&slapd) };
    assert!(start(plain).unwrap_err().to_string().contains("TLS"));
    let empty = DirectorySettings {
        ca_file: Some(slapd.password_file()),
        ..tls(&slapd, TlsMode::Ldaps, vec![slapd.tls_url("localhost")])
    };
    assert!(start(empty).unwrap_err().to_string().contains("no certificate"));
}

#[tokio::test]
async fn the_next_server_answers_when_the_first_is_killed_and_the_first_again_when_it_is_back() {
    let (mut first, second) = (Slapd::start("localhost", 0), Slapd::start("localhost", 0));
    let both = DirectorySettings { urls: vec![first.url(), second.url()], ..settings(&first) };
    let house = house(vec![both]).await;
    let find = async || house.identity.directories.find("staff", &house.organisation, "alice").await;
    let id = find().await.unwrap().unwrap().id;
    first.stop();
    let other = find().await.unwrap().unwrap().id;
    assert_ne!(id, other, "each has its own ids");
    let available = async || {
        let state = house.identity.directories.state().await.unwrap().remove(0);
        state.servers.iter().map(|server| server.available).collect::<Vec<_>>()
    };
    assert_eq!(available().await, [false, true]);
    first.go_on();
    assert_eq!(find().await.unwrap().unwrap().id, other, "it is left alone for a while");
    house.clock.advance(Duration::from_secs(60));
    assert_eq!(find().await.unwrap().unwrap().id, id);
    assert_eq!(available().await, [true, true]);
}

#[tokio::test]
async fn a_silent_server_costs_a_limited_time_once_and_logins_that_do_not_need_it_nothing() {
    let slapd = Slapd::start("localhost", 0);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldap://{}", silent.local_addr().unwrap());
    let hold = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            open.push(stream);
        }
    });
    let house = house(vec![DirectorySettings {
        urls: vec![url],
        connect_seconds: 1,
        operation_seconds: 1,
        ..settings(&slapd)
    }])
    .await;
    let new = NewPerson { username: "local".into(), ..NewPerson::default() };
    house.identity.persons.create(&house.organisation, new, "test").await.unwrap();
    let logins = (0..50).map(|n| {
        let (directories, organisation) = (house.identity.directories.clone(), house.organisation.clone());
        tokio::spawn(
            async move { directories.authenticate(&organisation, &format!("p{n}"), "x", true).await },
        )
    });
    for login in logins.collect::<Vec<_>>() {
        assert!(login.await.unwrap().is_err());
    }
    assert!(reason(&house).await.contains("no answer"));
    assert_eq!(house.log_in("local", "x").await, None, "a local person's login does not ask");
    hold.abort();
    let gone = house.try_log_in("alice", PASSWORD).await;
    assert!(matches!(gone, Err(IdentityError::Directory(DirectoryError::Unavailable(_)))));
}

#[tokio::test]
async fn what_is_no_ldap_is_an_error_and_no_panic() {
    // Nested so deep that parsing it by recursion would end the process.
    let mut deep = Vec::new();
    for _ in 0..200_000 {
        let length = u32::try_from(deep.len()).unwrap().to_le_bytes();
        deep.extend(length.into_iter().chain([0x84, 0x30]));
    }
    deep.reverse();
    for answer in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        deep,
        vec![0x30, 0x00],
        vec![0x30, 0x03, 0x02, 0x01, 0x01],
        vec![0x30, 0x05, 0x02, 0x01, 0x01, 0x61, 0x00],
    ] {
        let slapd = Slapd::start("localhost", 0);
        let odd = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap://{}", odd.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = odd.accept().await {
                use tokio::io::AsyncWriteExt as _;
                stream.write_all(&answer).await.unwrap_or_default();
            }
        });
        let house = house(vec![DirectorySettings { urls: vec![url], ..settings(&slapd) }]).await;
        let refused = house.try_log_in("alice", PASSWORD).await;
        assert!(matches!(refused, Err(IdentityError::Directory(DirectoryError::Unavailable(_)))));
    }
}

#[tokio::test]
async fn a_wrong_password_of_the_search_account_is_told_in_the_state_and_not_tried_on_and_on() {
    let slapd = Slapd::start("localhost", 0);
    let wrong = DirectorySettings { bind_dn: "cn=other,dc=example,dc=org".into(), ..settings(&slapd) };
    let house = house(vec![wrong]).await;
    assert!(house.try_log_in("alice", PASSWORD).await.is_err());
    assert!(reason(&house).await.contains("bind_dn"));
    let state = house.identity.directories.state().await.unwrap().remove(0);
    assert!(!state.servers[0].available);
}

#[tokio::test]
async fn a_password_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let slapd = Slapd::start("localhost", 0);
    std::fs::set_permissions(slapd.password_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let house = house(vec![settings(&slapd)]).await;
    assert!(house.try_log_in("alice", PASSWORD).await.is_err());
    assert!(reason(&house).await.contains("chmod 600"));
}
