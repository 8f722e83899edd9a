// SPDX-License-Identifier: GPL-2.0

//! Aligned columns.

use std::mem;

/// What is between two columns, in characters.
const GAP: usize = 2;

/// Lays rows out in columns two spaces apart: the first column to the left, the others to the right.
///
/// A row may be shorter than the others, and its last cell longer than its column.
pub fn columns(rows: &[Vec<String>]) -> String {
    let full = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            // What a short row ends with is a remark, which no column has to be as wide as.
            .filter(|row| row.len() == full || column + 1 < row.len())
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..full).map(width).collect();

    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or(0);
            if column == 0 {
                line += &format!("{cell:<width$}");
            } else if column + 1 == row.len() && row.len() < full {
                line += &format!("  {cell}");
            } else {
                line += &format!("  {cell:>width$}");
            }
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// A column of a table that is to fit a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What stands above it.
    pub title: &'static str,
    /// Its turn, counted from 1, when columns have to go so that the others fit; 0 if it stays.
    pub goes: u8,
}

impl Column {
    /// Makes a column.
    pub const fn new(title: &'static str, goes: u8) -> Self {
        Self { title, goes }
    }
}

/// Which columns stay where lines have `width` characters, if columns are as wide as `widths` says.
pub fn staying(columns: &[Column], widths: &[usize], width: Option<usize>) -> Vec<bool> {
    let mut stays = vec![true; columns.len()];
    let Some(width) = width else {
        return stays;
    };
    loop {
        let kept = || stays.iter().zip(widths).filter(|(stays, _)| **stays);
        let total = kept().map(|(_, width)| width + GAP).sum::<usize>();
        let next = (0..columns.len())
            .filter(|at| stays[*at] && columns[*at].goes > 0)
            .min_by_key(|at| columns[*at].goes);
        match next {
            Some(at) if total.saturating_sub(GAP) > width => stays[at] = false,
            _ => return stays,
        }
    }
}

/// Lays out a table with a head so that it fits lines of `width` characters, as far as columns may go. A row of two
/// cells is a name and a remark, which is cut.
pub fn fitting(columns: &[Column], rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    let head = columns.iter().map(|column| column.title.to_string());
    let mut rows: Vec<Vec<String>> = std::iter::once(head.collect()).chain(rows).collect();
    let full = |row: &&Vec<String>| row.len() == columns.len();
    let mut widths = vec![0; columns.len()];
    for row in rows.iter().filter(full) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // The first column is as wide as the longest name, whatever stands behind it.
    let names = rows.iter().filter_map(|row| row.first());
    let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
    widths[0] = longest;

    let stays = staying(columns, &widths, width);
    for row in &mut rows {
        if row.len() == columns.len() {
            let mut stays = stays.iter();
            row.retain(|_| stays.next().is_some_and(|stays| *stays));
            // However few columns stay, a remark is shorter.
            row.push(String::new());
        } else if let (Some(width), Some(remark)) = (width, row.get_mut(1)) {
            *remark = cut(remark, width.saturating_sub(longest + GAP));
        }
    }
    self::columns(&rows)
}

/// As much of a text as fits.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let start: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}\u{2026}", start.trim_end())
}

/// Lays out keys and values as [`pairs`] does; values that are too long for lines of `width` characters are broken between
/// words.
pub fn pairs_fitting(rows: &[(String, String)], width: Option<usize>) -> String {
    let keys = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let Some(room) = width.and_then(|width| width.checked_sub(keys + GAP)) else {
        return pairs(rows);
    };
    let mut lines = Vec::new();
    for (key, value) in rows {
        let mut key = key.clone();
        let mut line = String::new();
        for word in value.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines.push((mem::take(&mut key), mem::take(&mut line)));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push((key, line));
    }
    // The keys are all there, so that the columns stay where they are.
    pairs(&lines)
}

/// Lays out keys and values, the values to the left.
pub fn pairs(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    rows.iter().fold(String::new(), |mut text, (key, value)| {
        text += &format!("{key:<width$}  {value}\n");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| cell.to_string()).collect()
    }

    #[test]
    fn numbers_end_where_their_heads_end() {
        let table = columns(&[
            row(&["PIPE", "DEPTH", "MAX"]),
            row(&["kmsgpipe0", "3", "128"]),
            row(&["kmsgpipe10", "1000000", "65536"]),
        ]);
        assert_eq!(
            table,
            "PIPE          DEPTH    MAX\n\
             kmsgpipe0         3    128\n\
             kmsgpipe10  1000000  65536\n"
        );
    }

    #[test]
    fn a_remark_widens_no_column() {
        let table = columns(&[row(&["PIPE", "DEPTH", "MAX"]), row(&["x", "no permission"])]);
        assert_eq!(table, "PIPE  DEPTH  MAX\nx     no permission\n");
    }

    #[test]
    fn columns_go_in_their_turn() {
        let heads = [
            Column::new("PIPE", 0),
            Column::new("ID", 2),
            Column::new("DEPTH", 0),
            Column::new("MAX", 1),
        ];
        let rows = vec![
            row(&["0", "0", "3", "128"]),
            row(&["x", "EACCES: Permission denied"]),
        ];
        let table = |width| fitting(&heads, rows.clone(), width);
        let all = "PIPE  ID  DEPTH  MAX\n0      0      3  128\nx     EACCES: Permission denied\n";
        assert_eq!(table(None), all);
        assert_eq!(table(Some(80)), all);
        let start = "PIPE  ID  DEPTH  MAX\n0      0      3  128\nx     ";
        assert_eq!(table(Some(20)), format!("{start}EACCES: Permi\u{2026}\n"));
        assert_eq!(
            table(Some(19)),
            "PIPE  ID  DEPTH\n0      0      3\nx     EACCES: Perm\u{2026}\n"
        );
        assert_eq!(
            table(Some(14)),
            "PIPE  DEPTH\n0         3\nx     EACCES:\u{2026}\n"
        );
        // What may not go stays.
        assert!(table(Some(1)).starts_with("PIPE  DEPTH\n0         3\n"));
    }

    #[test]
    fn long_values_are_broken_between_words() {
        let rows = [("id", "0"), ("error", "one two three")].map(|(k, v)| (k.into(), v.into()));
        let whole = "id     0\nerror  one two three\n";
        assert_eq!(pairs_fitting(&rows, None), whole);
        assert_eq!(pairs_fitting(&rows, Some(20)), whole);
        assert_eq!(
            pairs_fitting(&rows, Some(19)),
            "id     0\nerror  one two\n       three\n"
        );
        assert_eq!(
            pairs_fitting(&rows, Some(8)),
            "id     0\nerror  one\n       two\n       three\n"
        );
        assert_eq!(pairs_fitting(&rows, Some(3)), whole);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(columns(&[]), "");
        assert_eq!(pairs(&[]), "");
    }

    #[test]
    fn values_stand_in_one_column() {
        let rows = [("id", "0"), ("msg_size", "256")].map(|(k, v)| (k.into(), v.into()));
        assert_eq!(pairs(&rows), "id        0\nmsg_size  256\n");
    }
}
