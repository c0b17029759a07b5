//! Several nodes on one database. The test is the load balancer: it chooses the node of each request.

use std::path::PathBuf;
use std::sync::LazyLock;

use agamid_core::Env;
use agamid_core::seal::EnvelopeKey;
use agamid_store::testing::PrivatePostgres;

use super::server::{Server, Site, free_ports, root};

/// One server for all clusters that leave it alone; each has a database of its own.
static DATABASES: LazyLock<PrivatePostgres> = LazyLock::new(|| PrivatePostgres::start(false).unwrap());

/// The password hashes of the sample people: made once, hashing takes its time.
static PEOPLE: LazyLock<String> = LazyLock::new(|| {
    let person = |name: &str| {
        let hash = agamid_identity::password::hash_password(&Env::system(), &format!("demo-{name}-123"));
        let hash = hash.unwrap();
        format!(
            "[[seed.persons]]\nusername = \"{name}\"\npassword_hash = \"{hash}\"\nemail = \"{name}@example.org\"\n"
        )
    };
    ["alice", "bob", "carol"].map(person).concat()
});

/// Connections to the database of each node, at most.
pub(crate) const CONNECTIONS: usize = 4;

/// The nodes of one site.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    /// The database's address.
    pub(crate) database: String,
    configs: Vec<PathBuf>,
    site: Site,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Nodes on a new database of a server that all tests share.
    pub(crate) fn of(nodes: usize) -> Self {
        Self::with(nodes, "")
    }

    /// As [`Self::of`], with more configuration, the same for all nodes.
    pub(crate) fn with(nodes: usize, more: &str) -> Self {
        Self::on(DATABASES.database().unwrap(), nodes, more)
    }

    /// As [`Self::of`], but a node that is told to stop takes nothing new from that moment.
    pub(crate) fn hasty(nodes: usize) -> Self {
        Self::start(DATABASES.database().unwrap(), nodes, 0, "")
    }

    /// Nodes on this store.
    pub(crate) fn on(database: String, nodes: usize, more: &str) -> Self {
        Self::start(database, nodes, 1, more)
    }

    /// All start at once, as they would on an empty database.
    fn start(database: String, nodes: usize, stop_delay: u64, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = EnvelopeKey::generate(&Env::system());
        let site =
            Site { issuer: "http://localhost".to_owned(), relying_party: "https://rp.example".to_owned() };
        let ports: Vec<u16> = (0..nodes).map(|_| free_ports()).collect();
        let mut configs = Vec::new();
        for port in &ports {
            let own = folder.path().join(format!("node-{port}"));
            std::fs::create_dir_all(&own).unwrap();
            key.save_new(&own.join("envelope.key")).unwrap();
            let config = own.join("agamid.toml");
            std::fs::write(&config, text(*port, &database, &site, stop_delay, more)).unwrap();
            configs.push(config);
        }
        let start = |port: &u16, config: &PathBuf| Server::node(folder.path(), *port, &site, config);
        let nodes = std::thread::scope(|scope| {
            let starting: Vec<_> = ports
                .iter()
                .zip(&configs)
                .map(|(port, config)| scope.spawn(move || start(port, config)))
                .collect();
            starting.into_iter().map(|node| node.join().unwrap()).collect()
        });
        Self { nodes, database, configs, site, folder }
    }

    /// Starts a node again that was killed or stopped.
    pub(crate) fn restart(&mut self, node: usize) {
        let port = self.nodes[node].port;
        self.nodes[node] = Server::node(self.folder.path(), port, &self.site, &self.configs[node]);
    }

    /// Runs SQL in the cluster's database, where all tests share the server.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let name = self.database.rsplit('/').next().unwrap();
        DATABASES.sql(name, sql).unwrap()
    }

    /// A token for the administration.
    pub(crate) async fn admin_token(&self) -> String {
        let node = &self.nodes[0];
        let browser = super::browser::Browser::new(node);
        let fields = [("grant_type", "client_credentials")];
        let (status, answer) = browser.as_service(node, "/oauth2/token", &fields).await;
        assert_eq!(status, 200, "{answer}");
        super::browser::text(&answer, "access_token")
    }
}

/// The configuration of one node.
fn text(port: u16, database: &str, site: &Site, stop_delay: u64, more: &str) -> String {
    let flows = root().join("flows");
    let scopes = "\"config.projects.read\", \"config.projects.write\", \"config.plugins.write\", \"config.clients.read\", \
                  \"config.clients.write\", \"config.keys.read\", \"config.keys.write\"";
    format!(
        r#"
[public]
listen = "127.0.0.1:{port}"
issuer = "{issuer}"
stop_delay_seconds = {stop_delay}
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{database}"
connections = {CONNECTIONS}
[secrets]
envelope_key_file = "envelope.key"
[flows]
dir = "{flows}"
[log]
format = "pretty"
level = "info,agamid_store=warn"
{more}
[seed.flows]
default_acr = "agama_demo.password"
[seed.oauth]
registration = "open"
[seed.plugins]
allow_unsigned = true
[seed.plugins.grants."extras:otp"]
proves = ["otp"]
[[seed.clients]]
client_id = "demo-rp"
client_name = "Sample application"
token_endpoint_auth_method = "none"
redirect_uris = ["{party}/cb"]
post_logout_redirect_uris = ["{party}/"]
grant_types = ["authorization_code", "refresh_token"]
scopes = ["openid", "profile", "email", "offline_access"]
[[seed.clients]]
client_id = "demo-service"
secret_hash = "{secret}"
grant_types = ["client_credentials"]
introspects_all = true
scopes = [{scopes}]
{people}"#,
        admin = port + 1,
        issuer = site.issuer,
        party = site.relying_party,
        flows = flows.display(),
        secret = agamid_core::secret::sha256_hex(b"demo-service-secret-123"),
        people = *PEOPLE,
    )
}
