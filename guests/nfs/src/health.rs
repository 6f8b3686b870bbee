//! How a volume is doing, as its server shows it.

use drivebay_guest::files::Directory;
use drivebay_guest::prelude::*;
use drivebay_guest::provision::health_in;

use crate::record::Store;

/// Of the volume with that id, in the share that it names, if that could be opened.
pub(crate) fn of_volume(
    share: Result<Directory, Error>,
    id: &str,
) -> Result<Vec<HealthCondition>, Error> {
    health_in(share, |tree| in_share(&tree, id))
}

fn in_share(tree: &dyn Tree, id: &str) -> Result<Vec<HealthCondition>, Error> {
    Store::of(tree).volume_health(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::tests::{filled, remove};
    use drivebay_guest::fake::FakeTree;

    fn told(tree: &FakeTree, id: &str) -> Vec<(String, String)> {
        let told = in_share(tree, id).expect("known");
        told.into_iter()
            .map(|condition| (condition.severity, condition.reason))
            .collect()
    }

    #[test]
    fn a_volume_whose_directory_is_gone_is_lost_and_one_that_was_deleted_does_not_exist() {
        let tree = FakeTree::new();
        let id = filled(&tree, "pvc-1", &[]);
        assert_eq!(told(&tree, &id), []);
        tree.remove_tree("pvc-1").expect("by somebody else");
        assert_eq!(
            told(&tree, &id),
            [("data-loss".into(), "DirectoryMissing".into())]
        );
        remove(&tree, &id).expect("deleted");
        for missing in [id.as_str(), "s#export#never##", "fake"] {
            let answer = in_share(&tree, missing);
            assert!(matches!(answer, Err(Error::NotFound(_))), "{answer:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_share_is_wrong_with_its_volumes() {
        let of = |error: Error| of_volume(Err(error), "s#export#pvc-1##");
        for (error, reason) in [
            (Error::Unavailable("silent".into()), "ServerUnreachable"),
            (Error::NotFound("no such export".into()), "ShareMissing"),
        ] {
            let told = of(error).expect("of the volume");
            assert_eq!((told.len(), told[0].reason.as_str()), (1, reason));
            assert_eq!(told[0].severity, "inaccessible");
        }
        let denied = of(Error::Denied("not granted".into()));
        assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    }
}
