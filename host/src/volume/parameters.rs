//! What is said of a volume.

/// String pairs in the order given, looked up without regard to the case of ASCII letters: Go's JSON
/// decoder ignores case, so PersistentVolumes with any spelling exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Keeps the pairs as they are; the caller has refused duplicates.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The value of a key in any case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// All pairs, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// All but one key, in any case.
    #[must_use]
    pub fn without(&self, key: &str) -> Self {
        let others = self.0.iter();
        let others = others.filter(|(name, _)| !name.eq_ignore_ascii_case(key));
        Self(others.cloned().collect())
    }

    /// Whether both say the same, in any order. Keys may differ in case alone and be two: tags are written so.
    pub fn same_as(&self, other: &Self) -> bool {
        let has = |key: &str, value: &str| {
            let is = |(name, said): &(String, String)| {
                name.eq_ignore_ascii_case(key) && said.as_str() == value
            };
            other.0.iter().any(is)
        };
        self.0.len() == other.0.len() && self.0.iter().all(|(key, value)| has(key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_case() {
        let parameters = Parameters::new(vec![("VolumeId".into(), "d-1".into())]);
        assert_eq!(parameters.get("volumeid"), Some("d-1"));
        assert!(parameters.same_as(&Parameters::new(vec![("volumeID".into(), "d-1".into())])));
        assert!(!parameters.same_as(&Parameters::new(vec![("volumeID".into(), "d-2".into())])));
        let both = vec![("tags/A".into(), "1".into()), ("tags/a".into(), "2".into())];
        let both = Parameters::new(both);
        assert!(both.same_as(&both.clone()));
    }
}
