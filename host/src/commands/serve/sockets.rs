//! Where `serve` listens for each driver, and where kubelet learns of it.
//!
//! kubelet takes a driver's socket by its path, so that paths have to be the same on the host and in the pod.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use drivebay::csi::{Endpoint, Mode, registration_socket};
use drivebay::driver::Driver;
use drivebay::sys;

/// What an address of a Unix socket has room for; kubelet could not connect to a longer one.
const LONGEST_SOCKET: usize = 107;

#[derive(Debug, Args)]
pub(super) struct Sockets {
    /// The driver's socket, unix:///path/csi.sock; in the order of the drivers
    #[arg(
        long = "endpoint",
        env = "CSI_ENDPOINT",
        value_name = "URL",
        required_unless_present = "kubelet_root",
        value_parser = Endpoint::parse
    )]
    endpoints: Vec<Endpoint>,
    /// kubelet's --root-dir, mounted at the same path: each driver listens at DIR/plugins/CSI-NAME/csi.sock unless it has
    /// an --endpoint, and registers itself with kubelet
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    kubelet_root: Option<PathBuf>,
    /// kubelet's directory of registration sockets, mounted at the same path; plugins_registry beneath --kubelet-root if
    /// not given
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    register_at: Option<PathBuf>,
}

/// A driver by its two names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served<'a> {
    name: &'a str,
    csi_name: Option<&'a str>,
}

/// Where a driver is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    /// In which directory kubelet learns of it.
    pub(super) register_at: Option<PathBuf>,
}

fn absolute(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.is_absolute() && !path.components().any(|part| part.as_os_str() == "..") {
        true => Ok(path),
        false => Err("it has to be an absolute path without ..".to_owned()),
    }
}

impl<'a> Served<'a> {
    pub(super) fn of(driver: &'a Driver) -> Self {
        let config = driver.config();
        Self {
            name: &config.name.0,
            csi_name: config.csi_name.as_deref(),
        }
    }

    /// As part of a path, where kubelet looks at no name that begins with a dot.
    fn csi_name(&self) -> anyhow::Result<&'a str> {
        let name = self.name;
        let csi_name = self
            .csi_name
            .with_context(|| format!("driver {name} has no csi-name; set it in its file"))?;
        ensure!(
            !csi_name.is_empty() && !csi_name.starts_with('.') && !csi_name.contains('/'),
            "driver {name} has the csi-name {csi_name:?}, which is no name for a directory; correct it in its file"
        );
        Ok(csi_name)
    }
}

impl Sockets {
    /// Of each driver, in their order.
    pub(super) fn places(&self, drivers: &[Served<'_>], mode: Mode) -> anyhow::Result<Vec<Place>> {
        let endpoints = self.endpoints_of(drivers)?;
        if let Some(endpoint) = given_twice(&endpoints) {
            bail!("endpoint {endpoint} was given twice; each driver needs one of its own");
        }
        let register_at = match mode {
            // kubelet has nothing to call there.
            Mode::Controller => None,
            Mode::Node | Mode::All => self.registration_directory(),
        };
        if let Some(directory) = &register_at {
            check_registration(drivers, &endpoints, directory)?;
        }
        let place = |endpoint| Place {
            endpoint,
            register_at: register_at.clone(),
        };
        Ok(endpoints.into_iter().map(place).collect())
    }

    fn endpoints_of(&self, drivers: &[Served<'_>]) -> anyhow::Result<Vec<Endpoint>> {
        if let (Some(root), []) = (&self.kubelet_root, self.endpoints.as_slice()) {
            let endpoint = |driver: &Served<'_>| {
                let directory = root.join("plugins").join(driver.csi_name()?);
                let socket = directory.join("csi.sock").display().to_string();
                Ok(Endpoint::parse(&socket)?)
            };
            return drivers.iter().map(endpoint).collect();
        }
        ensure!(
            drivers.len() == self.endpoints.len(),
            "{} drivers and {} endpoints were given; each driver needs one of its own, or none has one and \
             --kubelet-root says where they are",
            drivers.len(),
            self.endpoints.len()
        );
        Ok(self.endpoints.clone())
    }

    fn registration_directory(&self) -> Option<PathBuf> {
        let beneath_root = || Some(self.kubelet_root.as_ref()?.join("plugins_registry"));
        self.register_at.clone().or_else(beneath_root)
    }

    /// Sees to it that the directories of all sockets are there.
    pub(super) fn make_directories(&self, places: &[Place]) -> anyhow::Result<()> {
        if let Some(root) = &self.kubelet_root {
            ensure!(
                root.is_dir(),
                "kubelet's directory {} is not there; give kubelet's --root-dir by --kubelet-root, and mount it into the \
                 pod at the same path",
                root.display()
            );
        }
        for place in places {
            self.make_directory_of(place.endpoint.path())?;
            if let Some(directory) = &place.register_at {
                self.make(directory)?;
            }
        }
        Ok(())
    }

    /// The same for one socket.
    pub(super) fn make_directory_of(&self, socket: &Path) -> anyhow::Result<()> {
        self.make(socket.parent().unwrap_or(Path::new("/")))
    }

    /// A directory beneath kubelet's with all that is missing, any other one by itself: more that is missing is
    /// a mistake in the path, or a volume that was not mounted.
    fn make(&self, directory: &Path) -> anyhow::Result<()> {
        if directory.is_dir() {
            return Ok(());
        }
        let root = self.kubelet_root.as_deref();
        let above = root
            .filter(|root| directory.starts_with(root))
            .or(directory.parent())
            .unwrap_or(Path::new("/"));
        sys::create_directories_beneath(above, directory).with_context(|| {
            format!(
                "cannot make {}, where a socket is to be; make it, correct the path, or mount it into the pod (a hostPath of \
                 type DirectoryOrCreate)",
                directory.display()
            )
        })
    }
}

/// kubelet registers a driver once, by a socket with its name.
fn check_registration(
    drivers: &[Served<'_>],
    endpoints: &[Endpoint],
    directory: &Path,
) -> anyhow::Result<()> {
    let mut registered = BTreeSet::new();
    for (driver, endpoint) in drivers.iter().zip(endpoints) {
        let csi_name = driver.csi_name()?;
        ensure!(
            registered.insert(csi_name),
            "driver {csi_name} was given twice, and kubelet knows a driver by one socket only; give it once, or leave out \
             --kubelet-root and --register-at"
        );
        for socket in [endpoint.path(), &registration_socket(directory, csi_name)] {
            ensure!(
                socket.as_os_str().len() <= LONGEST_SOCKET,
                "kubelet cannot connect to {}, which has more than {LONGEST_SOCKET} bytes; give a shorter path",
                socket.display()
            );
        }
    }
    Ok(())
}

/// The later one would take over from the earlier one.
fn given_twice(endpoints: &[Endpoint]) -> Option<&Endpoint> {
    let mut later = endpoints.iter().enumerate();
    later
        .find(|(index, endpoint)| endpoints[..*index].contains(endpoint))
        .map(|(_, endpoint)| endpoint)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        sockets: Sockets,
    }

    const NFS: Served<'_> = Served {
        name: "nfs",
        csi_name: Some("nfs.csi.k8s.io"),
    };

    fn sockets(arguments: &[&str]) -> Sockets {
        let words = ["serve"].iter().chain(arguments);
        Alone::try_parse_from(words).expect("understood").sockets
    }

    #[track_caller]
    fn refused(sockets: &Sockets, drivers: &[Served<'_>], words: &str) {
        let error = sockets.places(drivers, Mode::Node).expect_err("refused");
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn kubelets_root_says_where_a_driver_listens_and_registers() {
        let sockets = sockets(&["--kubelet-root", "/var/lib/kubelet"]);
        for mode in [Mode::Node, Mode::All, Mode::Controller] {
            let places = sockets.places(&[NFS], mode).expect("valid");
            let path = "/var/lib/kubelet/plugins/nfs.csi.k8s.io/csi.sock";
            assert_eq!(places[0].endpoint.path(), Path::new(path));
            let registered = (mode != Mode::Controller)
                .then(|| PathBuf::from("/var/lib/kubelet/plugins_registry"));
            assert_eq!(places[0].register_at, registered, "{mode:?}");
        }
    }

    #[test]
    fn a_driver_with_an_endpoint_registers_only_where_that_is_asked_for() {
        let endpoint = ["--endpoint", "unix:///csi/csi.sock"];
        let place = |more: &[&str]| {
            let sockets = sockets(&[&endpoint[..], more].concat());
            let mut places = sockets.places(&[NFS], Mode::Node).expect("valid");
            places.remove(0)
        };
        assert_eq!(place(&[]).register_at, None);
        let place = place(&["--register-at", "/registration"]);
        assert_eq!(place.register_at, Some("/registration".into()));
        assert_eq!(place.endpoint.path(), Path::new("/csi/csi.sock"));
    }

    #[test]
    fn what_kubelet_could_not_find_is_refused() {
        let root = sockets(&["--kubelet-root", "/var/lib/kubelet"]);
        refused(&root, &[NFS, NFS], "given twice");
        for name in [None, Some(""), Some(".nfs"), Some("../nfs")] {
            let driver = Served {
                csi_name: name,
                ..NFS
            };
            refused(&root, &[driver], "csi-name");
        }
        let deep = format!("/{}", "d".repeat(90));
        refused(&sockets(&["--kubelet-root", &deep]), &[NFS], "107 bytes");
        let endpoint = ["--endpoint", "unix:///csi/csi.sock"];
        refused(
            &sockets(&endpoint),
            &[NFS, NFS],
            "2 drivers and 1 endpoints",
        );
        let twice = [endpoint, endpoint].concat();
        refused(&sockets(&twice), &[NFS, NFS], "given twice");
        assert!(Alone::try_parse_from(["serve"]).is_err());
        assert!(Alone::try_parse_from(["serve", "--kubelet-root", "kubelet"]).is_err());
    }

    #[test]
    fn missing_directories_are_made_beneath_kubelets_and_else_one_alone() {
        let root = tempfile::tempdir().expect("a directory");
        let kubelet = root.path().join("kubelet");
        let sockets = sockets(&["--kubelet-root", &kubelet.display().to_string()]);
        let places = sockets.places(&[NFS], Mode::Node).expect("valid");
        let error = sockets.make_directories(&places).expect_err("missing");
        assert!(error.to_string().contains("--root-dir"), "{error}");
        std::fs::create_dir(&kubelet).expect("writable");
        sockets.make_directories(&places).expect("made");
        for made in ["plugins/nfs.csi.k8s.io", "plugins_registry"] {
            let made = std::fs::metadata(kubelet.join(made)).expect("made");
            assert_eq!(made.permissions().mode() & 0o7777, 0o750);
        }
        let one = root.path().join("csi/csi.sock");
        sockets.make_directory_of(&one).expect("made");
        let two = root.path().join("a/b/csi.sock");
        let error = sockets.make_directory_of(&two).expect_err("a mistake");
        let said = format!("{error:#}");
        let (directory, above) = (root.path().join("a/b"), root.path().join("a"));
        for part in [&directory, &above] {
            assert!(said.contains(&part.display().to_string()), "{said}");
        }
    }
}
