//! The specification's rules for plugins, by number, each seen by a caller.
//!
//! | rule | what it asks for |
//! |---|---|
//! | 1 | strings of 128 bytes and maps of 4 KiB at most; volume ids too |
//! | 2 | an error has a message for people and no details |
//! | 3 | a Unix socket, and no other file beside it |
//! | 4 | logs without secrets |
//! | 5 | the caller makes the staging directory, the plugin makes and removes the target |
//! | 6 | no cancellation: what timed out is repeated, and goes on |
//! | 7 | ABORTED while an operation on the volume is in flight |
//! | 8 | UNIMPLEMENTED for what is not offered |
//! | 9 | the table of NodePublishVolume: targets and arguments |
//! | 10 | codes of CreateVolume |
//! | 11 | codes of DeleteVolume |
//! | 12 | codes of ControllerPublishVolume |
//! | 13 | codes of ControllerUnpublishVolume |
//! | 14 | codes of ControllerExpandVolume |
//! | 15 | a page token that is not valid is ABORTED |
//! | 16 | NodePublishVolume without a staged volume is FAILED_PRECONDITION |
//! | 17 | NodeGetVolumeStats of a path without the volume is NOT_FOUND |
//! | 18 | ControllerModifyVolume refuses all or nothing |
//! | 19 | our own error comes before the caller gives up |
//! | 20 | what the sidecars ask is answered at once |
//! | 21 | NodeGetVolumeHealth: nothing of what is well, each reason once, also of what could not be mounted |
//! | 22 | NodeGetStorageHealth: what is behind all volumes, seen from this node |
//! | 23 | ControllerGetVolumeHealth: the backend's view; NOT_FOUND for what does not exist |
//! | 24 | ControllerListVolumeHealth leaves out what is well |
//! | 25 | places of snapshots are named by nobody where SNAPSHOT_ACCESSIBILITY_CONSTRAINTS is not claimed |

mod controller;
mod health;
mod interactions;
mod node;
