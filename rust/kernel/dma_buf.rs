// SPDX-License-Identifier: GPL-2.0

//! Where a buffer is in memory, as one device sees it.
//!
//! C header: [`include/linux/dma-buf-map.h`](srctree/include/linux/dma-buf-map.h)

use crate::{
    bindings,
    dma::DmaAddress,
    types::Opaque, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};

/// The page list of a buffer that is mapped for a device.
///
/// It does not change as long as it is mapped, and can only be read.
///
/// # Invariants
///
/// This is a `struct dma_buf_list` that is mapped for the lifetime of any reference to it.
#[repr(transparent)]
pub struct List(Opaque<bindings::dma_buf_list>);

impl List {
    /// Creates a reference from a raw pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a `struct dma_buf_list` that stays mapped for the lifetime `'a`.
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::dma_buf_list) -> &'a Self {
        // INVARIANT: The caller promises that it stays mapped.
        // SAFETY: `List` is a transparent wrapper, and the pointer is valid for `'a`.
        unsafe { &*ptr.cast() }
    }

    /// Iterates over the DMA addresses of a part of the buffer, in bytes.
    ///
    /// What of the part lies beyond the end of the buffer is left out.
    pub fn segments(&self, offset: u64, size: u64) -> Segments<'_> {
        let mut segs = MaybeUninit::uninit();

        // SAFETY: `self` is mapped by the type invariants. The function initializes `segs`.
        unsafe { bindings::dma_buf_segs_init(segs.as_mut_ptr(), self.0.get(), offset, size, 0) };

        // INVARIANT: It reads `self`, which is borrowed for as long.
        Segments {
            // SAFETY: `segs` was initialized above.
            segs: unsafe { segs.assume_init() },
            list: PhantomData,
        }
    }
}

// SAFETY: The list may be unmapped by any thread.
unsafe impl Send for List {}

// SAFETY: The list does not change, and reading it needs no lock.
unsafe impl Sync for List {}

/// A part of a buffer that has contiguous DMA addresses.
pub struct Segment {
    addr: DmaAddress,
    len: u64,
}

impl Segment {
    /// Returns the DMA address of the first byte.
    #[inline]
    pub fn dma_address(&self) -> DmaAddress {
        self.addr
    }

    /// Returns the length in bytes, which is never zero and not limited to 32 bits.
    #[inline]
    pub fn size(&self) -> u64 {
        self.len
    }
}

/// An iterator over the [`Segment`]s of a [`List`].
///
/// # Invariants
///
/// `segs` reads a list that is mapped for the lifetime `'a`.
pub struct Segments<'a> {
    segs: bindings::dma_buf_segs,
    list: PhantomData<&'a List>,
}

impl Iterator for Segments<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let mut addr: DmaAddress = 0;

        // SAFETY: The list is mapped by the type invariants.
        let len = unsafe { bindings::dma_buf_segs_next(&mut self.segs, &mut addr) };

        (len != 0).then_some(Segment { addr, len })
    }
}
