//! etcd, the API server and the controllers that bind and protect volumes, on ports of this machine's own; one for all tests
//! of this program, and gone with it however it ends.
//!
//! No port is chosen that somebody else could take before it is listened at: a program chooses its own and says which, or
//! listens at one that is held for it, or has none.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::api::Api;
use crate::repository;

/// A busy machine takes its time to start them, and an emulated one minutes; others take seconds.
const PATIENCE: Duration = Duration::from_secs(420);

/// An address for documents, which nobody is told. Without one the API server looks for a default route, which a machine
/// with no network has not.
const ADVERTISED: &str = "192.0.2.1";

/// Known to everyone on this machine, of whose loopback it is.
const TOKEN: &str = "administrator";

/// Where etcd listens for the API server: a socket in the directory that it runs in, by a name of the form that it asks for.
const ETCD: &str = "clients:1";

/// What `kubectl proxy` says before its address.
const SERVES_AT: &str = "Starting to serve on ";

/// Runs what follows until whoever started this closes its standard input, by ending or being killed. A directory that goes
/// with it is removed then.
const UNTIL_INPUT_ENDS: &str = "\"$@\" < /dev/null & child=$!; cat > /dev/null; kill -KILL $child; wait $child; \
    [ -z \"$DIRECTORY\" ] || rm -rf \"$DIRECTORY\"";

/// What runs for one test program.
#[derive(Debug)]
pub struct ControlPlane {
    directory: PathBuf,
    /// The API server's.
    port: Port,
    api: Api,
    running: Vec<Running>,
}

/// A program that ends when this is dropped, and with this process.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Its output goes into a file.
    pub fn start(log: &Path, program: &Path, arguments: &[String]) -> Self {
        Self::start_in(Path::new(""), log, program, arguments)
    }

    /// In a directory that goes with it.
    fn start_in(directory: &Path, log: &Path, program: &Path, arguments: &[String]) -> Self {
        let output = File::create(log).expect("writable");
        let mut shell = command("sh");
        shell.args(["-c", UNTIL_INPUT_ENDS, "sh"]).arg(program);
        if directory.is_dir() {
            shell.current_dir(directory);
        }
        shell
            .args(arguments)
            .env("DIRECTORY", directory)
            // Signals to the tests are not for it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("open"))
            .stderr(output);
        Self(shell.spawn().expect("a shell"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where these tests start programs"
)]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// A program of Kubernetes, as `cargo xtask test` builds it for the cluster.
fn kubernetes(name: &str) -> PathBuf {
    built(&format!("target/cluster/bin/{name}"))
}

fn built(path: &str) -> PathBuf {
    let path = repository().join(path);
    assert!(
        path.exists(),
        "{} is missing; `cargo xtask test --only provision` builds it",
        path.display()
    );
    path
}

/// A port of this machine that nobody else is given while this is there, and that a program can listen at which shares it.
#[derive(Debug)]
struct Port {
    _held: Socket,
    address: SocketAddr,
}

impl Port {
    fn any() -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        held.set_reuse_port(true).expect("ports can be shared");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        held.bind(&any.into()).expect("a port");
        let address = held.local_addr().expect("an address");
        Self {
            address: address.as_socket().expect("of the internet"),
            _held: held,
        }
    }
}

impl ControlPlane {
    /// The one of this program.
    pub fn get() -> &'static Self {
        static ONE: OnceLock<ControlPlane> = OnceLock::new();
        ONE.get_or_init(Self::start)
    }

    /// As its administrator asks it.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// An address where the API server is asked over plain HTTP by whoever has that token.
    pub fn proxy_for(&self, name: &str, token: &str) -> (String, Running) {
        let config = self.path(&format!("{name}.kubeconfig"));
        fs::write(
            &config,
            kubeconfig(self.port.address, &self.path("apiserver.crt"), token),
        )
        .expect("writable");
        let log = self.path(&format!("{name}.log"));
        let proxy = Running::start(
            &log,
            &kubernetes("kubectl"),
            &[
                "proxy".to_owned(),
                format!("--kubeconfig={}", config.display()),
                // It says which.
                "--port=0".to_owned(),
            ],
        );
        let mut address = None;
        let says_where = || {
            let said = fs::read_to_string(&log).expect("readable");
            let mut lines = said
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            address = lines.find_map(|line| line.trim().strip_prefix(SERVES_AT).map(str::to_owned));
            address.is_some()
        };
        assert!(
            becomes(says_where),
            "kubectl proxy does not say where it is"
        );
        let address = address.expect("it was waited for");
        let api = Api::at(&address);
        assert!(becomes(|| api.answers()), "kubectl proxy does not answer");
        (address, proxy)
    }

    /// By what programs ask as the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path("administrator.kubeconfig")
    }

    /// What `kubectl` said as the administrator, with everything that it warned of.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let mut kubectl = command(&kubernetes("kubectl").to_string_lossy());
        kubectl
            .arg(format!("--kubeconfig={}", self.kubeconfig().display()))
            .args(arguments);
        let output = kubectl.output().expect("kubectl starts");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{}: {said}", arguments.join(" "));
        said
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// One that ends when it is dropped, where it would be in the way of what comes after.
    pub fn start() -> Self {
        // It goes with etcd, which goes with this process: nobody drops what is static.
        let directory = tempfile::tempdir().expect("a directory").keep();
        let program = built("target/cluster/root/usr/bin/etcd");
        let arguments = etcd_arguments(&directory);
        let log = directory.join("etcd.log");
        let running = Running::start_in(&directory, &log, &program, &arguments);
        let mut plane = Self {
            api: Api::at(""),
            running: vec![running],
            port: Port::any(),
            directory,
        };
        plane.run("kube-apiserver", &server_arguments(&plane));
        let certificate = plane.path("apiserver.crt");
        assert!(
            becomes(|| certificate.exists()),
            "the API server does not start"
        );
        let (address, proxy) = plane.proxy_for("administrator", TOKEN);
        plane.running.push(proxy);
        plane.api = Api::at(&address);
        plane.run("kube-controller-manager", &controllers_arguments(&plane));
        plane
    }

    fn run(&mut self, name: &str, arguments: &[String]) {
        let log = self.path(&format!("{name}.log"));
        let running = Running::start(&log, &kubernetes(name), arguments);
        self.running.push(running);
    }
}

fn etcd_arguments(directory: &Path) -> Vec<String> {
    let (clients, peers) = (format!("unix://{ETCD}"), "unix://peers:1");
    [
        format!("--data-dir={}", directory.join("etcd").display()),
        "--log-level=warn".to_owned(),
        // Nothing of it outlives the tests.
        "--unsafe-no-fsync".to_owned(),
        format!("--listen-client-urls={clients}"),
        format!("--advertise-client-urls={clients}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ]
    .into()
}

fn server_arguments(plane: &ControlPlane) -> Vec<String> {
    let (tokens, key) = (plane.path("tokens.csv"), plane.path("service-accounts.key"));
    fs::write(&tokens, format!("{TOKEN},admin,admin,\"system:masters\"\n")).expect("writable");
    let mut openssl = command("openssl");
    let made = openssl
        .args(["genrsa", "-out"])
        .arg(&key)
        .arg("2048")
        .output();
    assert!(made.expect("openssl").status.success(), "no key was made");
    let key = key.display();
    [
        format!("--etcd-servers=unix://{}", plane.path(ETCD).display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--advertise-address={ADVERTISED}"),
        format!("--secure-port={}", plane.port.address.port()),
        "--permit-port-sharing".to_owned(),
        "--service-cluster-ip-range=10.98.0.0/24".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--cert-dir={}", plane.directory.display()),
        format!("--token-auth-file={}", tokens.display()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={key}"),
        format!("--service-account-signing-key-file={key}"),
    ]
    .into()
}

/// Those that have to do with claims and volumes, and what ends a namespace.
fn controllers_arguments(plane: &ControlPlane) -> Vec<String> {
    let kubeconfig = plane.path("administrator.kubeconfig");
    [
        format!("--kubeconfig={}", kubeconfig.display()),
        "--controllers=persistentvolume-binder-controller,persistentvolume-protection-controller,\
         persistentvolumeclaim-protection-controller,namespace-controller"
            .to_owned(),
        "--leader-elect=false".to_owned(),
        // A claim that has lost its volume is looked at again after that, and no event of the volume's return is waited for:
        // 15 s elsewhere.
        "--pvclaimbinder-sync-period=1s".to_owned(),
        // As where many claims come at once: it would else ask 20 times a second.
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
        // Nobody asks how they are.
        "--secure-port=0".to_owned(),
        // The API server may not have written yet whom it takes for a proxy.
        "--authentication-skip-lookup".to_owned(),
    ]
    .into()
}

/// For a program that asks the API server itself.
fn kubeconfig(server: SocketAddr, certificate: &Path, token: &str) -> String {
    let certificate = certificate.display();
    kubeconfig_of(
        &format!("server: \"https://{server}\", certificate-authority: \"{certificate}\""),
        &format!("token: \"{token}\""),
    )
}

/// For a program that asks a proxy, which says who it is.
pub fn kubeconfig_of_proxy(address: &str) -> String {
    kubeconfig_of(&format!("server: \"http://{address}\""), "")
}

fn kubeconfig_of(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters: [{{ name: c, cluster: {{ {cluster} }} }}]\n\
         users: [{{ name: u, user: {{ {user} }} }}]\n\
         contexts: [{{ name: x, context: {{ cluster: c, user: u }} }}]\n\
         current-context: x\n"
    )
}

/// Whether it is so before anybody loses patience.
pub fn becomes(mut is_so: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > until {
            return false;
        }
        sleep(Duration::from_millis(50));
    }
    true
}
