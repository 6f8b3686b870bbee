//! Where a share is: the server's name and the path on it, as users write them.

use std::fmt;

use crate::bindings::types::Error;
use crate::ids::LONGEST_ID;
use crate::parameters::malformed;

/// An absolute path on a server, without doubled slashes and without `.` and `..`.
#[derive(Clone, Debug, PartialEq)]
pub struct RemotePath(String);

impl RemotePath {
    /// All that the server has.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// Read the path that `option` holds.
    ///
    /// Slashes may be doubled, trailing or missing at the start: the example driver put the first one there by
    /// itself, so volumes that lack it exist. `..` is refused rather than resolved, because only the server
    /// knows what lies behind a symlink.
    pub fn parse(option: &str, written: &str) -> Result<Self, Error> {
        if written.chars().any(char::is_control) {
            return Err(malformed(
                option,
                written,
                "control characters are not accepted",
            ));
        }
        let mut path = Self::root();
        for component in written.split('/') {
            match component {
                "" => {}
                "." | ".." => {
                    let accepted = "\".\" and \"..\" are not accepted: write the directory itself";
                    return Err(malformed(option, written, accepted));
                }
                name => path = path.below(name),
            }
        }
        Ok(path)
    }

    /// This path with another one appended.
    pub fn join(&self, other: &Self) -> Self {
        match other.0.as_str() {
            "/" => self.clone(),
            path => self.below(path.trim_start_matches('/')),
        }
    }

    fn below(&self, names: &str) -> Self {
        let above = self.0.trim_end_matches('/');
        Self(format!("{above}/{names}"))
    }

    /// The directories above this one, the nearest first and `base` last, each with the path that leads
    /// from there to here.
    pub fn parents_within(&self, base: &Self) -> impl Iterator<Item = (Self, &str)> {
        self.0
            .rmatch_indices('/')
            .filter_map(|(at, _)| Some((self.0.get(..at.max(1))?, self.0.get(at + 1..)?)))
            .take_while(|(above, below)| above.len() >= base.0.len() && !below.is_empty())
            .map(|(above, below)| (Self(above.into()), below))
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Read the server's name or address, an IPv6 address with or without brackets.
pub fn parse_server(option: &str, written: &str) -> Result<String, Error> {
    if let Some((server, path)) = written.split_once('/') {
        let server = server.trim_end_matches(':');
        let accepted = format!("write the server {server} here and /{path} as share");
        return Err(malformed(option, written, &accepted));
    }
    let bare = written
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(written);
    if bare.split(':').count() == 2 {
        return Err(malformed(
            option,
            written,
            "a port goes into mountOptions, as port=NUMBER",
        ));
    }
    // `%` comes before the interface of a link-local address.
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if bare.is_empty() || !bare.chars().all(known) {
        return Err(malformed(
            option,
            written,
            "write a host name, an IPv4 or an IPv6 address",
        ));
    }
    Ok(bare.into())
}

/// A server, and the directory of it beneath which volumes are made.
#[derive(Clone, Debug)]
pub struct Export {
    /// Its name or address.
    pub server: String,
    /// The directory.
    pub share: RemotePath,
}

impl Export {
    /// Read what the parameters `server` and `share` hold.
    pub fn parse(server: &str, share: &str) -> Result<Self, Error> {
        let path = RemotePath::parse("share", share)?;
        // It separates the parts of an id.
        if path.0.contains('#') {
            let accepted = "# is not accepted where volumes are made";
            return Err(malformed("share", &path.0, accepted));
        }
        Ok(Self {
            server: parse_server("server", server)?,
            share: path,
        })
    }

    /// Whether work on one can reach the other: by the same name of the server, because its others are not known.
    pub fn is_same(&self, other: &Self) -> bool {
        self.server.eq_ignore_ascii_case(&other.server) && self.share == other.share
    }

    /// Two parts of an id: `server#share`.
    pub fn in_id(&self) -> String {
        let share = self.share.0.trim_start_matches('/');
        format!("{}#{share}", self.server)
    }

    /// The error for an id that has no room for a name.
    pub fn no_room(&self) -> Error {
        error!(InvalidArgument: "server {} and share {} are too long: with a name they have to fit into an id of \
            {LONGEST_ID} bytes", self.server, self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(written: &str) -> String {
        RemotePath::parse("share", written)
            .expect("a good path")
            .to_string()
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result {
            Err(Error::InvalidArgument(message)) => message,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn slashes_are_put_in_order() {
        assert_eq!(normalised("/export//data/"), "/export/data");
        assert_eq!(normalised("dws_nas_scratch"), "/dws_nas_scratch");
        assert_eq!(normalised("///"), "/");
    }

    #[test]
    fn spaces_commas_and_other_scripts_are_part_of_a_name() {
        assert_eq!(normalised("/my data, 共享 /x"), "/my data, 共享 /x");
    }

    #[test]
    fn dots_that_are_not_alone_are_part_of_a_name() {
        assert_eq!(normalised("/..data/v1.2/..."), "/..data/v1.2/...");
    }

    #[test]
    fn a_path_that_climbs_is_refused() {
        for written in ["/a/../b", "..", "/a/.", "./a"] {
            let message = refusal(RemotePath::parse("subPath", written));
            assert!(
                message.contains("subPath") && message.contains(written),
                "{message}"
            );
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for written in ["/a\nb", "/a\0", "/\u{1b}[2J", "/a\u{85}"] {
            let message = refusal(RemotePath::parse("share", written));
            assert!(message.contains("control characters"), "{message}");
        }
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        let path = |written| RemotePath::parse("path", written).expect("a good path");
        for (one, other, joined) in [
            ("/", "a", "/a"),
            ("/a", "/", "/a"),
            ("/a", "b/c", "/a/b/c"),
            ("/", "/", "/"),
        ] {
            assert_eq!(path(one).join(&path(other)), path(joined));
        }
    }

    #[test]
    fn the_nearest_parent_comes_first_and_the_base_last() {
        let base = RemotePath::parse("share", "/srv").expect("a good path");
        let path = RemotePath::parse("path", "/srv/a/b").expect("a good path");
        let parents: Vec<_> = path
            .parents_within(&base)
            .map(|(parent, missing)| (parent.to_string(), missing.to_string()))
            .collect();
        assert_eq!(
            parents,
            [
                ("/srv/a".into(), "b".into()),
                ("/srv".into(), String::from("a/b"))
            ]
        );
        assert_eq!(path.parents_within(&RemotePath::root()).count(), 3);
        for base in [base, RemotePath::root()] {
            assert_eq!(base.parents_within(&base).count(), 0);
        }
    }

    #[test]
    fn an_export_is_a_server_and_a_path_that_ids_can_have() {
        let export = Export::parse("NFS-1", "/srv//data/").expect("good");
        assert_eq!(export.in_id(), "NFS-1#srv/data");
        assert!(export.is_same(&Export::parse("nfs-1", "srv/data").expect("good")));
        assert!(!export.is_same(&Export::parse("nfs-1", "/srv").expect("good")));
        let message = refusal(Export::parse("nfs-1", "/srv#data"));
        assert!(message.starts_with("share \"/srv#data\""), "{message}");
        refusal(Export::parse("nfs:1", "/srv"));
    }

    #[test]
    fn servers_are_names_or_addresses() {
        for server in ["10.0.0.1", "nfs-1.example.com", "fd00::1", "fe80::1%eth0"] {
            assert_eq!(
                parse_server("server", server).expect("a good server"),
                server
            );
        }
    }

    #[test]
    fn brackets_around_an_address_are_taken_off() {
        assert_eq!(
            parse_server("server", "[fd00::1]").expect("a good server"),
            "fd00::1"
        );
    }

    #[test]
    fn a_server_with_a_path_is_answered_with_what_to_write() {
        let message = refusal(parse_server("server", "10.0.0.1:/export/a"));
        assert!(
            message.contains("write the server 10.0.0.1 here and /export/a as share"),
            "{message}"
        );
        let message = refusal(parse_server("server", "[fd00::1]:/export"));
        assert!(message.contains("/export as share"), "{message}");
    }

    #[test]
    fn a_server_with_a_port_is_answered_with_where_it_goes() {
        assert!(refusal(parse_server("server", "nfs:2049")).contains("port=NUMBER"));
    }

    #[test]
    fn a_server_with_anything_else_is_refused() {
        for written in ["", "[]", "a b", "a,b", "a/b", "a\nb", "a,addr=1.2.3.4"] {
            refusal(parse_server("server", written));
        }
    }
}
