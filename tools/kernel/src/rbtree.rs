// SPDX-License-Identifier: GPL-2.0

//! Trees.

use crate::{alloc::Flags, error::Result};
use core::marker::PhantomData;
use std::collections::BTreeMap;

/// A map whose keys are ordered.
#[derive(Debug)]
pub struct RBTree<K, V>(BTreeMap<K, V>);

impl<K, V> Default for RBTree<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> RBTree<K, V> {
    /// Inserts a node, and returns that which had the same key.
    pub fn insert(&mut self, node: RBTreeNode<K, V>) -> Option<V> {
        self.0.insert(node.key, node.value)
    }

    /// Returns the value with this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// Removes and returns the node with this key.
    pub fn remove_node(&mut self, key: &K) -> Option<RBTreeNode<K, V>> {
        let (key, value) = self.0.remove_entry(key)?;
        Some(RBTreeNode { key, value })
    }

    /// Returns a cursor at the first node whose key is at least `key`.
    pub fn cursor_lower_bound(&self, key: &K) -> Option<Cursor<'_, K, V>> {
        self.0.range(key..).next().map(Cursor)
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
#[derive(Debug)]
pub struct RBTreeNode<K, V> {
    key: K,
    value: V,
}

impl<K, V> RBTreeNode<K, V> {
    /// Drops the key and the value, and keeps the memory.
    pub fn into_reservation(self) -> RBTreeNodeReservation<K, V> {
        RBTreeNodeReservation(PhantomData)
    }
}

/// Memory for a node.
#[derive(Debug)]
pub struct RBTreeNodeReservation<K, V>(PhantomData<(K, V)>);

impl<K, V> RBTreeNodeReservation<K, V> {
    /// Allocates memory for a node.
    ///
    /// # Errors
    ///
    /// None on the host.
    pub fn new(_flags: Flags) -> Result<Self> {
        Ok(Self(PhantomData))
    }

    /// Makes a node of the memory.
    pub fn into_node(self, key: K, value: V) -> RBTreeNode<K, V> {
        RBTreeNode { key, value }
    }
}
