//! The Merkle tree of a ledger: RFC 9162 (Certificate Transparency 2.0), section 2.1, over SHA-256.
//!
//! Entries are numbered from 1 in a trial's record sequence; the tree counts leaves from 0, so that
//! the leaf of entry n is leaf n - 1.

use sha2::{Digest, Sha256};

/// A leaf or node.
pub type Hash = [u8; 32];

/// A hash from its 64 hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| hash)
}

/// `SHA-256(0x01 || left || right)`.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root over no leaf: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of a growing tree: the roots of its complete subtrees, the largest first.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    size: u64,
    peaks: Vec<Hash>,
}

impl Edge {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // As many subtrees are completed as the old size ends in ones, written in binary.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each one in the size");
            hash = node(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => empty_root(),
            Some(last) => peaks.fold(*last, |right, left| node(left, &right)),
        }
    }
}

/// The root over these leaves.
pub fn root<'a>(leaves: impl IntoIterator<Item = &'a Hash>) -> Hash {
    let mut edge = Edge::default();
    leaves.into_iter().for_each(|leaf| edge.push(*leaf));
    edge.root()
}

/// Where the nodes of a tree come from.
pub trait Nodes {
    type Error;

    /// The root of the complete subtree over `2^level` leaves from `position * 2^level` on.
    fn complete(&mut self, level: u32, position: u64) -> Result<Hash, Self::Error>;
}

/// The root over the leaves from `begin` to before `end`, a range that RFC 9162 splits off: `begin`
/// is a multiple of the least power of two that is at least the range's length.
pub fn range_root<N: Nodes>(nodes: &mut N, begin: u64, end: u64) -> Result<Hash, N::Error> {
    let length = end - begin;
    if length.is_power_of_two() {
        return nodes.complete(length.trailing_zeros(), begin / length);
    }
    let split = begin + largest_power_below(length);
    let left = range_root(nodes, begin, split)?;
    let right = range_root(nodes, split, end)?;
    Ok(node(&left, &right))
}

/// The root over the first `size` leaves.
pub fn root_of_first<N: Nodes>(nodes: &mut N, size: u64) -> Result<Hash, N::Error> {
    match size {
        0 => Ok(empty_root()),
        size => range_root(nodes, 0, size),
    }
}

/// The greatest power of two below n, which is at least 2.
fn largest_power_below(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// PATH(m, D_n) of section 2.1.3.1: proves that leaf `index` is in the tree of the first `size`.
pub fn inclusion_proof<N: Nodes>(
    nodes: &mut N,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, N::Error> {
    let (mut begin, mut end) = (0, size);
    let mut path = Vec::new();
    while end - begin > 1 {
        let split = begin + largest_power_below(end - begin);
        if index < split {
            path.push(range_root(nodes, split, end)?);
            end = split;
        } else {
            path.push(range_root(nodes, begin, split)?);
            begin = split;
        }
    }
    path.reverse();
    Ok(path)
}

/// PROOF(m, D_n) of section 2.1.4.1: proves that the tree of the first `old` leaves is the beginning
/// of that of the first `new`. Both sizes equal, or an old size of 0, need no proof.
pub fn consistency_proof<N: Nodes>(
    nodes: &mut N,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, N::Error> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut begin, mut end) = (0, new);
    let mut proof = Vec::new();
    // SUBPROOF: what is left of the old tree is [begin, old), of the new one [begin, end).
    while end != old {
        let split = begin + largest_power_below(end - begin);
        if old <= split {
            proof.push(range_root(nodes, split, end)?);
            end = split;
        } else {
            proof.push(range_root(nodes, begin, split)?);
            begin = split;
        }
    }
    // Where the old tree is a whole branch from the left, its root is known to whoever verifies.
    if begin != 0 {
        proof.push(range_root(nodes, begin, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root that an inclusion proof leads to, by the algorithm of section 2.1.3.2; None where the
/// proof is not of this index and size.
pub fn root_from_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether a consistency proof leads from the old root to the new one: the algorithm of section
/// 2.1.4.2.
pub fn is_consistent(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new || old == 0 {
        let same = if old == 0 {
            *old_root == empty_root()
        } else {
            old_root == new_root
        };
        return same && proof.is_empty();
    }
    let mut rest = proof.iter();
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let first = if old.is_power_of_two() {
        Some(old_root)
    } else {
        rest.next()
    };
    let Some(first) = first else {
        return false;
    };
    let (mut from_old, mut from_new) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            from_old = node(hash, &from_old);
            from_new = node(hash, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node(&from_new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    struct Memory(Vec<Hash>);

    impl Nodes for Memory {
        type Error = Infallible;

        fn complete(&mut self, level: u32, position: u64) -> Result<Hash, Infallible> {
            let (begin, length) = ((position << level) as usize, 1_usize << level);
            Ok(root(&self.0[begin..begin + length]))
        }
    }

    /// MTH of section 2.1.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(&by_definition(&leaves[..k]), &by_definition(&leaves[k..]))
            }
        }
    }

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n as u64)
            .map(|i| {
                Sha256::new()
                    .chain_update([0])
                    .chain_update(i.to_be_bytes())
                    .finalize()
                    .into()
            })
            .collect()
    }

    /// The tree of RFC 6962's own reference test data, which RFC 9162 hashes in the same way.
    #[test]
    fn the_roots_of_the_certificate_transparency_test_vectors_are_reproduced() {
        let entries = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut edge = Edge::default();
        for (entry, expected) in entries.iter().zip(roots) {
            let entry = hex::decode(entry).unwrap();
            edge.push(
                Sha256::new()
                    .chain_update([0])
                    .chain_update(entry)
                    .finalize()
                    .into(),
            );
            assert_eq!(hex::encode(edge.root()), expected);
        }
        assert_eq!(
            hex::encode(empty_root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn every_leaf_of_every_tree_up_to_40_is_proved_and_nothing_else_is() {
        let all = leaves(40);
        for size in 1..=all.len() {
            let mut nodes = Memory(all.clone());
            let root = by_definition(&all[..size]);
            assert_eq!(root_of_first(&mut nodes, size as u64).unwrap(), root);
            for index in 0..size {
                let (index, size) = (index as u64, size as u64);
                let proof = inclusion_proof(&mut nodes, index, size).unwrap();
                let led_to = |leaf, index, size, proof: &[Hash]| {
                    root_from_inclusion(leaf, index, size, proof) == Some(root)
                };
                let leaf = &all[index as usize];
                assert!(led_to(leaf, index, size, &proof));
                assert!(!led_to(&[0; 32], index, size, &proof));
                assert!(!led_to(leaf, size, size, &proof));
                for other in (0..size).filter(|other| *other != index) {
                    assert!(!led_to(leaf, other, size, &proof));
                }
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!led_to(leaf, index, size, shorter));
                }
                let longer: Vec<Hash> = proof.iter().copied().chain([[1; 32]]).collect();
                assert!(!led_to(leaf, index, size, &longer));
            }
        }
    }

    #[test]
    fn every_old_tree_is_proved_to_begin_every_new_one_and_no_other_is() {
        let all = leaves(40);
        let mut changed = all.clone();
        changed[0] = [9; 32];
        for new in 0..=all.len() {
            for old in 0..=new {
                let mut nodes = Memory(all.clone());
                let (old_root, new_root) = (by_definition(&all[..old]), by_definition(&all[..new]));
                let (old_size, new_size) = (old as u64, new as u64);
                let proof = consistency_proof(&mut nodes, old_size, new_size).unwrap();
                let holds = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                    is_consistent(old_size, old_root, new_size, new_root, proof)
                };
                assert!(holds(&old_root, &new_root, &proof), "{old} to {new}");
                if old > 0 {
                    assert!(!holds(&by_definition(&changed[..old]), &new_root, &proof));
                    assert!(!holds(&old_root, &by_definition(&changed[..new]), &proof));
                }
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!holds(&old_root, &new_root, shorter));
                }
                if old > 0 && old < new {
                    let longer: Vec<Hash> = proof.iter().copied().chain([[1; 32]]).collect();
                    assert!(!holds(&old_root, &new_root, &longer));
                }
            }
        }
    }
}
