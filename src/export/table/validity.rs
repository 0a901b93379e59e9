//! When each version of a row is valid in a history: `[from, to)`, in microseconds.
//!
//! A version begins at the time of the row's last change, where that is later than everything that the table
//! knows of its id and not later than the list that has it; else at the time of the list. Both are later than
//! all that the table has, so versions of an id never overlap. A list that was asked for before what the table
//! has of an id is known to be outdated, and says nothing about that id.

/// A version that the table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// When it was extracted.
    pub(super) extracted_at: i64,
    pub(super) from: i64,
    /// `None` while it is current.
    pub(super) to: Option<i64>,
}

impl Held {
    /// The latest time at which anything is known of it.
    pub(super) fn latest(&self) -> i64 {
        self.extracted_at.max(self.last())
    }

    fn last(&self) -> i64 {
        self.to.map_or(self.from, |to| to.max(self.from))
    }
}

/// The version that a row of a list is to be, as far as the versions are known that the table has of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    /// When it begins.
    pub(super) from: i64,
    /// Whether it is to be written.
    pub(super) is_wanted: bool,
}

impl Next {
    /// The first version of an id, in a list of this time.
    pub(super) fn first(changed: Option<i64>, extracted_at: i64) -> Self {
        let changed = changed.filter(|changed| *changed <= extracted_at);
        Self { from: changed.unwrap_or(extracted_at), is_wanted: true }
    }

    /// Takes a version of its id into account, in whichever order they are found. Whether the values of a
    /// version are the same counts for the current one alone. True if that one ends where this one begins.
    pub(super) fn meet(&mut self, held: &Held, is_same: bool, extracted_at: i64) -> bool {
        if held.latest() >= extracted_at {
            self.is_wanted = false;
            return false;
        }
        if self.from <= held.last() {
            self.from = extracted_at;
        }
        if held.to.is_some() {
            return false;
        }
        self.is_wanted &= !is_same;
        !is_same
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// What a row says: when it was last changed, and its name.
    type Values = (Option<i64>, u8);

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct Version {
        from: i64,
        to: Option<i64>,
        extracted_at: i64,
        values: Values,
    }

    impl Version {
        fn held(&self) -> Held {
            Held { extracted_at: self.extracted_at, from: self.from, to: self.to }
        }
    }

    #[derive(Debug, Clone)]
    struct List {
        extracted_at: i64,
        is_complete: bool,
        rows: BTreeMap<i64, Values>,
        /// Whether the versions of the table are met from the last one on.
        is_backwards: bool,
    }

    /// A table with the rules of this file: its versions in no order that matters.
    #[derive(Debug, Default, Clone, PartialEq, Eq)]
    struct Table(Vec<(i64, Version)>);

    impl Table {
        /// Applies a list. True if there was something to write.
        fn apply(&mut self, list: &List) -> bool {
            let List { extracted_at, is_complete, rows, is_backwards } = list;
            let (mut new, mut has_ended) = (Vec::new(), false);
            if *is_backwards {
                self.0.reverse();
            }
            for (id, values) in rows {
                let mut next = Next::first(values.0, *extracted_at);
                let mut ending = None;
                for (position, (_, version)) in self.of(*id) {
                    if next.meet(&version.held(), version.values == *values, *extracted_at) {
                        assert_eq!(ending.replace((position, next.from)), None, "two are current");
                    }
                }
                if let Some((position, from)) = ending {
                    assert_eq!(from, next.from, "it ends where the next begins");
                    self.0[position].1.to = Some(from);
                    has_ended = true;
                }
                if next.is_wanted {
                    let version = Version {
                        from: next.from,
                        to: None,
                        extracted_at: *extracted_at,
                        values: *values,
                    };
                    new.push((*id, version));
                }
            }
            for (id, version) in self.0.iter_mut().filter(|_| *is_complete) {
                let is_before = version.held().latest() < *extracted_at;
                if !rows.contains_key(id) && version.to.is_none() && is_before {
                    version.to = Some(*extracted_at);
                    has_ended = true;
                }
            }
            let has_new = !new.is_empty();
            self.0.extend(new);
            has_new || has_ended
        }

        fn of(&self, id: i64) -> Vec<(usize, (i64, Version))> {
            self.0.iter().copied().enumerate().filter(|(_, (other, _))| *other == id).collect()
        }

        fn versions(&self) -> BTreeMap<i64, Vec<Version>> {
            let mut versions = BTreeMap::<i64, Vec<Version>>::new();
            for (id, version) in &self.0 {
                versions.entry(*id).or_default().push(*version);
            }
            versions.values_mut().for_each(|versions| versions.sort());
            versions
        }
    }

    /// The same as it is documented: the versions of each id in order, of which only the last one counts.
    fn by_the_book(there: &mut BTreeMap<i64, Vec<Version>>, list: &List) {
        let at = list.extracted_at;
        let knows_later =
            |last: &Version| last.extracted_at >= at || last.to.is_some_and(|to| to >= at);
        for (id, values) in &list.rows {
            let versions = there.entry(*id).or_default();
            let from = match versions.last_mut() {
                None => values.0.filter(|changed| *changed <= at).unwrap_or(at),
                Some(last) if knows_later(last) => continue,
                Some(last) if last.to.is_none() && last.values == *values => continue,
                Some(last) => {
                    let is_later = |changed: &i64| {
                        *changed > last.from && last.to.is_none_or(|to| *changed > to)
                    };
                    let changed = values.0.filter(is_later).filter(|changed| *changed <= at);
                    let from = changed.unwrap_or(at);
                    last.to = last.to.or(Some(from));
                    from
                }
            };
            versions.push(Version { from, to: None, extracted_at: at, values: *values });
        }
        for (id, versions) in there.iter_mut().filter(|_| list.is_complete) {
            if let Some(last) = versions.last_mut()
                && !list.rows.contains_key(id)
                && last.to.is_none()
                && !knows_later(last)
            {
                last.to = Some(at);
            }
        }
    }

    /// What a merge makes of the same lists: for each id what was extracted last, and when it was found to
    /// be deleted.
    #[derive(Debug, Default)]
    struct Merged(BTreeMap<i64, (Values, i64, Option<i64>)>);

    impl Merged {
        fn apply(&mut self, list: &List) {
            let at = list.extracted_at;
            for (id, values) in &list.rows {
                let is_kept = self.0.get(id).is_some_and(|(there, extracted_at, deleted_at)| {
                    let is_later = *extracted_at >= at || deleted_at.is_some_and(|time| time >= at);
                    is_later || (there == values && deleted_at.is_none())
                });
                if !is_kept {
                    self.0.insert(*id, (*values, at, None));
                }
            }
            for (id, (_, extracted_at, deleted_at)) in &mut self.0 {
                if list.is_complete && !list.rows.contains_key(id) && *extracted_at < at {
                    *deleted_at = deleted_at.or(Some(at));
                }
            }
        }

        fn living(&self) -> BTreeSet<(i64, Values)> {
            let living = self.0.iter().filter(|(_, (_, _, deleted_at))| deleted_at.is_none());
            living.map(|(id, (values, ..))| (*id, *values)).collect()
        }
    }

    /// Lists of a few ids. Times are few, so that they tie, go backwards and lie in the future; a list may be
    /// of the same time as another, or of an earlier one: it has lost a race.
    fn lists() -> impl Strategy<Value = Vec<List>> {
        let changed = prop_oneof![1 => Just(None), 4 => (0i64..30).prop_map(Some)];
        let rows = proptest::collection::btree_map(0i64..4, (changed, 0u8..3), 0..5);
        let list = (1i64..24, any::<bool>(), rows, any::<bool>());
        let list = list.prop_map(|(extracted_at, is_complete, rows, is_backwards)| List {
            extracted_at,
            is_complete,
            rows,
            is_backwards,
        });
        // Most sequences go on in time.
        (proptest::collection::vec(list, 1..14), prop::bool::weighted(0.7)).prop_map(
            |(mut lists, is_ordered)| {
                if is_ordered {
                    lists.sort_by_key(|list| list.extracted_at);
                }
                lists
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn whatever_lists_come_versions_are_what_the_book_says_and_never_overlap(lists in lists()) {
            let (mut table, mut book) = (Table::default(), BTreeMap::new());
            let mut merged = Merged::default();
            for list in &lists {
                let before = table.versions();
                table.apply(list);
                by_the_book(&mut book, list);
                merged.apply(list);
                let versions = table.versions();
                prop_assert_eq!(&versions, &book);
                for (id, versions) in &versions {
                    let current = versions.iter().filter(|version| version.to.is_none());
                    prop_assert!(current.count() <= 1);
                    for version in versions {
                        prop_assert!(version.from <= version.extracted_at);
                        prop_assert!(version.to.is_none_or(|to| to > version.from));
                    }
                    for pair in versions.windows(2) {
                        prop_assert!(pair[0].to.is_some_and(|to| to <= pair[1].from));
                    }
                    for time in -1..31 {
                        let valid = versions.iter().filter(|version| {
                            version.from <= time && version.to.is_none_or(|to| time < to)
                        });
                        prop_assert!(valid.count() <= 1);
                    }
                    // What was once said of the past is not said otherwise later: a version ends, and no more.
                    for version in before.get(id).into_iter().flatten() {
                        let is_kept = |now: &&Version| {
                            now.from == version.from && (version.to.is_none() || now.to == version.to)
                        };
                        let now = versions.iter().find(is_kept);
                        prop_assert_eq!(now.map(|now| now.values), Some(version.values));
                    }
                }
                let current: BTreeSet<(i64, Values)> = table.0.iter()
                    .filter(|(_, version)| version.to.is_none())
                    .map(|(id, version)| (*id, version.values))
                    .collect();
                prop_assert_eq!(current, merged.living());
                // A replay of the list has nothing to write, whenever it comes, unless the list has lost a race.
                for extracted_at in [list.extracted_at, 40] {
                    let mut again = table.clone();
                    let mut there = before.values().flatten();
                    let is_outdated =
                        there.any(|version| version.held().latest() >= list.extracted_at);
                    if extracted_at == 40 && is_outdated {
                        continue;
                    }
                    let replay = List { extracted_at, ..list.clone() };
                    prop_assert!(!again.apply(&replay), "{:?}", again);
                }
            }
        }
    }

    const NOW: i64 = 100;

    fn next(changed: Option<i64>, held: &[Held]) -> Next {
        let mut next = Next::first(changed, NOW);
        for held in held {
            next.meet(held, false, NOW);
        }
        next
    }

    #[test]
    fn a_first_version_begins_at_the_change_unless_that_is_to_come() {
        for (changed, from) in [(None, NOW), (Some(7), 7), (Some(NOW), NOW), (Some(NOW + 1), NOW)] {
            assert_eq!(Next::first(changed, NOW), Next { from, is_wanted: true });
        }
    }

    #[test]
    fn a_further_version_begins_at_the_change_only_if_that_is_later_than_all_there_is() {
        let current = [Held { extracted_at: 50, from: 40, to: None }];
        let gone = [Held { extracted_at: 50, from: 40, to: Some(60) }];
        let returned = [gone[0], Held { extracted_at: 80, from: 70, to: None }];
        for (held, changed, from) in [
            (&current[..], None, NOW),
            (&current, Some(39), NOW),
            (&current, Some(40), NOW),
            (&current, Some(41), 41),
            (&current, Some(NOW + 1), NOW),
            (&gone, Some(59), NOW),
            (&gone, Some(60), NOW),
            (&gone, Some(61), 61),
            (&returned, Some(65), NOW),
            (&returned, Some(71), 71),
        ] {
            assert_eq!(next(changed, held), Next { from, is_wanted: true }, "{held:?} {changed:?}");
        }
    }

    #[test]
    fn a_list_that_is_not_later_than_what_the_table_has_says_nothing() {
        for held in [
            Held { extracted_at: NOW, from: 3, to: None },
            Held { extracted_at: NOW + 1, from: 3, to: None },
            Held { extracted_at: 5, from: 3, to: Some(NOW) },
            Held { extracted_at: 5, from: 3, to: Some(NOW + 1) },
        ] {
            assert!(!next(Some(50), &[held]).is_wanted, "{held:?}");
            assert!(held.latest() >= NOW, "{held:?}");
        }
        let mut same = Next::first(Some(50), NOW);
        let held = Held { extracted_at: 5, from: 3, to: None };
        assert!(!same.meet(&held, true, NOW) && !same.is_wanted);
    }
}
