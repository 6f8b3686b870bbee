//! Memory that is taken and never given back.
//!
//! An instance lives for one call, and its memory ends with it. The standard allocator, which keeps book of what
//! is free, and the code that gives things back to it, would be a ninth of this guest.
#![cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "an allocator hands out memory by its address")
)]

use std::sync::atomic::{AtomicUsize, Ordering};

/// WebAssembly's pages.
const PAGE: usize = 1 << 16;

/// What is left of the pages that were taken. Plain numbers: an instance has one thread.
struct Room {
    next: AtomicUsize,
    end: AtomicUsize,
}

impl Room {
    const fn empty() -> Self {
        Self {
            next: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
        }
    }

    /// Where so many bytes begin; `None` where the host grants no more pages. `grow` adds pages, and says where
    /// the first of them begins.
    fn take(
        &self,
        size: usize,
        align: usize,
        grow: impl FnOnce(usize) -> Option<usize>,
    ) -> Option<usize> {
        let end = self.end.load(Ordering::Relaxed);
        let start = self
            .next
            .load(Ordering::Relaxed)
            .checked_next_multiple_of(align)?;
        let fits = |start: usize, end: usize| start.checked_add(size).filter(|next| *next <= end);
        if let Some(next) = fits(start, end) {
            self.next.store(next, Ordering::Relaxed);
            return Some(start);
        }
        let pages = size.checked_add(align)?.div_ceil(PAGE);
        let begin = grow(pages)?;
        // New pages follow the last ones, so that what is left of those is of use; only the first stand alone.
        let start = if begin == end { start } else { begin };
        let end = begin.checked_add(pages * PAGE)?;
        self.end.store(end, Ordering::Relaxed);
        let next = fits(start, end)?;
        self.next.store(next, Ordering::Relaxed);
        Some(start)
    }

    /// More room for what was taken last, where it is; `false` for anything else.
    fn stretch(&self, start: usize, size: usize, wanted: usize) -> bool {
        let is_last = start + size == self.next.load(Ordering::Relaxed);
        let next = start.checked_add(wanted);
        match next.filter(|next| is_last && *next <= self.end.load(Ordering::Relaxed)) {
            Some(next) => {
                self.next.store(next, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod instance {
    use std::alloc::{GlobalAlloc, Layout};
    use std::arch::wasm32::memory_grow;
    use std::ptr;

    use super::{PAGE, Room};

    #[global_allocator]
    static ROOM: Room = Room::empty();

    fn grow(pages: usize) -> Option<usize> {
        memory_grow::<0>(pages).checked_mul(PAGE)
    }

    // SAFETY: `take` hands out each byte once, aligned, and within the pages that the host granted.
    unsafe impl GlobalAlloc for Room {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            match self.take(layout.size(), layout.align(), grow) {
                Some(start) => ptr::with_exposed_provenance_mut(start),
                None => ptr::null_mut(),
            }
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

        unsafe fn realloc(&self, old: *mut u8, layout: Layout, wanted: usize) -> *mut u8 {
            if wanted <= layout.size()
                || self.stretch(old.expose_provenance(), layout.size(), wanted)
            {
                return old;
            }
            let Some(start) = self.take(wanted, layout.align(), grow) else {
                return ptr::null_mut();
            };
            let new = ptr::with_exposed_provenance_mut(start);
            // SAFETY: `old` holds `layout.size()` bytes, `new` holds more, and no byte is handed out twice.
            unsafe { ptr::copy_nonoverlapping(old, new, layout.size()) };
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_each_other_and_are_aligned() {
        let room = Room::empty();
        let first = |_| Some(3 * PAGE);
        let never = |_| unreachable!("there is room");
        assert_eq!(room.take(5, 1, first), Some(3 * PAGE));
        assert_eq!(room.take(8, 8, never), Some(3 * PAGE + 8));
        assert_eq!(room.take(1, 1, never), Some(3 * PAGE + 16));
    }

    #[test]
    fn what_is_left_of_the_last_page_is_used_with_the_next() {
        let room = Room::empty();
        assert_eq!(room.take(PAGE - 8, 1, |_| Some(PAGE)), Some(PAGE));
        let next = |pages| (pages == 1).then_some(2 * PAGE);
        assert_eq!(room.take(16, 8, next), Some(2 * PAGE - 8));
        let many = |pages| (pages == 3).then_some(3 * PAGE);
        assert_eq!(room.take(2 * PAGE, 1, many), Some(2 * PAGE + 8));
    }

    #[test]
    fn what_the_host_refuses_is_not_handed_out() {
        let room = Room::empty();
        assert_eq!(room.take(1, 1, |_| None), None);
        assert_eq!(room.take(usize::MAX, 1, |_| Some(0)), None);
        assert_eq!(room.take(1, 1, |_| Some(PAGE)), Some(PAGE));
    }

    #[test]
    fn only_what_was_taken_last_grows_where_it_is() {
        let room = Room::empty();
        let start = room.take(8, 1, |_| Some(PAGE)).expect("a page");
        assert!(room.stretch(start, 8, 16));
        let last = room.take(8, 1, |_| None).expect("room");
        assert!(!room.stretch(start, 16, 32));
        assert!(!room.stretch(last, 8, PAGE));
        assert!(room.stretch(last, 8, 9));
    }
}
