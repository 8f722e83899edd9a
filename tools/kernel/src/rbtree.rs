// SPDX-License-Identifier: GPL-2.0

//! Trees.

use crate::{
    alloc::{Flags, KBox},
    error::Result,
};
use core::marker::PhantomData;
use std::collections::BTreeMap;

/// A map whose keys are ordered.
pub struct RBTree<K, V>(BTreeMap<K, (V, Memory)>);

/// The memory of a node, which is allocated and freed when that of the kernel is.
type Memory = KBox<u64>;

impl<K, V> Default for RBTree<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> RBTree<K, V> {
    /// Inserts a node, and returns that which had the same key.
    pub fn insert(&mut self, node: RBTreeNode<K, V>) -> Option<V> {
        let old = self.0.insert(node.key, (node.value, node.memory));
        old.map(|(value, _)| value)
    }

    /// Returns whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value with this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|(value, _)| value)
    }

    /// Removes and returns the node with this key.
    pub fn remove_node(&mut self, key: &K) -> Option<RBTreeNode<K, V>> {
        let (key, (value, memory)) = self.0.remove_entry(key)?;
        Some(RBTreeNode { key, value, memory })
    }

    /// Returns a cursor at the first node whose key is at least `key`.
    pub fn cursor_lower_bound(&self, key: &K) -> Option<Cursor<'_, K, V>> {
        let (key, (value, _)) = self.0.range(key..).next()?;
        Some(Cursor((key, value)))
    }
}

/// A place in a tree.
#[derive(Debug)]
pub struct Cursor<'a, K, V>((&'a K, &'a V));

impl<'a, K, V> Cursor<'a, K, V> {
    /// Returns the key and the value of the node.
    pub fn current(&self) -> (&'a K, &'a V) {
        self.0
    }
}

/// A node that is in no tree.
pub struct RBTreeNode<K, V> {
    key: K,
    value: V,
    memory: Memory,
}

impl<K, V> RBTreeNode<K, V> {
    /// Drops the key and the value, and keeps the memory.
    pub fn into_reservation(self) -> RBTreeNodeReservation<K, V> {
        RBTreeNodeReservation(self.memory, PhantomData)
    }
}

/// Memory for a node.
pub struct RBTreeNodeReservation<K, V>(Memory, PhantomData<(K, V)>);

impl<K, V> RBTreeNodeReservation<K, V> {
    /// Allocates memory for a node.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(flags: Flags) -> Result<Self> {
        Ok(Self(KBox::new(0, flags)?, PhantomData))
    }

    /// Makes a node of the memory.
    pub fn into_node(self, key: K, value: V) -> RBTreeNode<K, V> {
        RBTreeNode {
            key,
            value,
            memory: self.0,
        }
    }
}
