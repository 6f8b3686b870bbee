//! The options as kubelet writes them: one JSON object of strings in one argument.

use std::collections::BTreeMap;

/// kubelet's own keys for a volume of that name, and the user's, which win; sorted, as Go writes a map.
pub fn options(volume: &str, user: &[(&str, &str)]) -> String {
    let kubelet = [
        ("kubernetes.io/fsType", ""),
        ("kubernetes.io/pvOrVolumeName", volume),
        ("kubernetes.io/readwrite", "rw"),
    ];
    let all: BTreeMap<_, _> = kubelet.into_iter().chain(user.iter().copied()).collect();
    serde_json::to_string(&all).expect("strings")
}

/// What only `mount` gets besides.
pub fn pod_options(volume: &str, user: &[(&str, &str)]) -> String {
    let pod = [
        ("kubernetes.io/pod.name", "web-0"),
        ("kubernetes.io/pod.namespace", "shop"),
        (
            "kubernetes.io/pod.uid",
            "a90e00e9-25cc-4ca9-9c53-1a6f27860621",
        ),
        ("kubernetes.io/serviceAccount.name", ""),
    ];
    let all: Vec<_> = pod.into_iter().chain(user.iter().copied()).collect();
    options(volume, &all)
}
