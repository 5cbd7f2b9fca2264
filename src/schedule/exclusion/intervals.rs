/// Stretches of seconds, each from its first to before its end, in order and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    pub(super) fn new(mut stretches: Vec<(i64, i64)>) -> Self {
        stretches.retain(|(first, end)| first < end);
        stretches.sort_unstable();
        let mut apart: Vec<(i64, i64)> = Vec::with_capacity(stretches.len());
        for (first, end) in stretches {
            match apart.last_mut() {
                Some((_, last)) if first <= *last => *last = end.max(*last),
                _ => apart.push((first, end)),
            }
        }
        apart.shrink_to_fit();
        Self(apart)
    }

    /// Whether a second lies in one of them, and the stretch around it in which that is the same.
    pub(super) fn around(&self, second: i64) -> (bool, i64, i64) {
        let next = self.0.partition_point(|(first, _)| *first <= second);
        let before = next.checked_sub(1).map(|place| self.0[place]);
        match before {
            Some((first, end)) if second < end => (true, first, end),
            _ => {
                let first = before.map_or(i64::MIN, |(_, end)| end);
                (false, first, self.0.get(next).map_or(i64::MAX, |(first, _)| *first))
            }
        }
    }
}
