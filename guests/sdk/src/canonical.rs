//! Requests in the one form that is signed. Pure.
//!
//! It is that of AWS's Signature Version 4, which other clouds took over: method, path, query and headers in an order, the
//! names of the headers, and the digest of the body. What is then done with its own digest differs from cloud to cloud.
//! What is not sent as it was signed is refused, so both should come from one list.
//!
//! ```
//! use drivebay_guest::canonical::{EMPTY_BODY, request};
//!
//! let query = [("b".into(), "2 3".into()), ("a".into(), "1".into())];
//! let headers = [("host".into(), "example.com".into()), ("x-date".into(), "today".into())];
//! assert_eq!(
//!     request("POST", "/", &query, &headers, EMPTY_BODY),
//!     format!("POST\n/\na=1&b=2%203\nhost:example.com\nx-date:today\n\nhost;x-date\n{EMPTY_BODY}")
//! );
//! ```

use crate::encode::percent_encode;

/// The SHA-256 of no bytes at all.
pub const EMPTY_BODY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is hashed first. `path` is encoded already; `headers` are sorted by name, and their names in small letters.
pub fn request(
    method: &str,
    path: &str,
    query: &[(String, String)],
    headers: &[(String, String)],
    body_digest: &str,
) -> String {
    let mut request = String::from(method) + "\n" + path;
    let mut separator = '\n';
    for pair in sorted(query) {
        request.push(separator);
        request += &pair;
        separator = '&';
    }
    // A query that is empty has its line all the same.
    request += if query.is_empty() { "\n\n" } else { "\n" };
    for (name, value) in headers {
        for part in [name, ":", value, "\n"] {
            request += part;
        }
    }
    for part in ["\n", &names(headers), "\n", body_digest] {
        request += part;
    }
    request
}

/// The names of headers, as the signature's own header has them.
pub fn names(headers: &[(String, String)]) -> String {
    let mut names = String::new();
    for (name, _) in headers {
        if !names.is_empty() {
            names.push(';');
        }
        names += name;
    }
    names
}

/// Encoded, and by name and value, as the clouds' own SDKs do it: `DiskId.1` before `DiskId.10`, whatever follows. Put in
/// place one by one, because there are few, and the library's sort takes as much room as a tenth of a guest.
fn sorted(query: &[(String, String)]) -> Vec<String> {
    let mut pairs: Vec<String> = Vec::new();
    for (name, value) in query {
        let mut pair = String::new();
        percent_encode(name, &mut pair);
        pair.push('=');
        percent_encode(value, &mut pair);
        let is_later = |other: &String| other.split_once('=') > pair.split_once('=');
        let place = pairs.iter().position(is_later);
        pairs.insert(place.unwrap_or(pairs.len()), pair);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::encode::hex;
    use crate::fake::pairs;

    /// As AWS's guide to Signature Version 4 has it.
    #[test]
    fn the_example_of_aws_comes_to_the_same() {
        let query = pairs(&[("Version", "2010-05-08"), ("Action", "ListUsers")]);
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let headers = pairs(&[
            ("content-type", form),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ]);
        let canonical = request("GET", "/", &query, &headers, EMPTY_BODY);
        let digest = "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        assert_eq!(hex(&Sha256::digest(canonical)), digest);
        assert_eq!(names(&headers), "content-type;host;x-amz-date");
    }

    #[test]
    fn an_empty_body_has_the_digest_of_nothing_and_an_empty_query_its_line() {
        assert_eq!(hex(&Sha256::digest("")), EMPTY_BODY);
        let canonical = request("GET", "/", &[], &pairs(&[("host", "h")]), EMPTY_BODY);
        assert_eq!(canonical, format!("GET\n/\n\nhost:h\n\nhost\n{EMPTY_BODY}"));
    }

    fn query(written: &[(&str, &str)]) -> String {
        let canonical = request("POST", "/", &pairs(written), &[], EMPTY_BODY);
        canonical.lines().nth(2).unwrap_or_default().into()
    }

    #[test]
    fn the_tenth_of_a_list_comes_after_the_first() {
        let list = [
            ("DiskId.10", "d-a"),
            ("DiskId.2", "d-c"),
            ("DiskId.1", "d-b"),
        ];
        assert_eq!(query(&list), "DiskId.1=d-b&DiskId.10=d-a&DiskId.2=d-c");
    }

    #[test]
    fn of_one_name_the_lesser_value_comes_first() {
        assert_eq!(query(&[("a", "2"), ("a", "1 3")]), "a=1%203&a=2");
    }
}
