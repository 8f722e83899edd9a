// SPDX-License-Identifier: GPL-2.0

//! Tables with aligned columns.

use std::mem;

/// Gap between columns in characters.
const GAP: usize = 2;

/// Formats rows as columns: the first is left-aligned, the others are right-aligned.
///
/// A row may have fewer cells than others, in which case its last cell may exceed the column width.
pub fn columns(rows: &[Vec<String>]) -> String {
    let full = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            // The last cell of a short row is a remark, which does not count for the column width.
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

/// A column of a table that adapts to the terminal width.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Heading of the column.
    pub title: &'static str,
    /// Order in which columns are omitted to fit the width, from 1; 0 if the column is always shown.
    pub drop_order: u8,
}

impl Column {
    /// Creates a column.
    pub const fn new(title: &'static str, drop_order: u8) -> Self {
        Self { title, drop_order }
    }
}

/// Returns which columns are shown in lines of `width` characters, given the column widths.
pub fn visible(columns: &[Column], widths: &[usize], width: Option<usize>) -> Vec<bool> {
    let mut stays = vec![true; columns.len()];
    let Some(width) = width else {
        return stays;
    };
    loop {
        let kept = || stays.iter().zip(widths).filter(|(stays, _)| **stays);
        let total = kept().map(|(_, width)| width + GAP).sum::<usize>();
        let next = (0..columns.len())
            .filter(|at| stays[*at] && columns[*at].drop_order > 0)
            .min_by_key(|at| columns[*at].drop_order);
        match next {
            Some(at) if total.saturating_sub(GAP) > width => stays[at] = false,
            _ => return stays,
        }
    }
}

/// Formats a table with a heading, and omits columns to fit lines of `width` characters. A row of two cells
/// is a name and a remark, which is truncated.
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
    // The first column is as wide as the longest name, including the names of rows with a remark.
    let names = rows.iter().filter_map(|row| row.first());
    let longest = names.map(|name| name.chars().count()).max().unwrap_or(0);
    widths[0] = longest;

    let stays = visible(columns, &widths, width);
    for row in &mut rows {
        if row.len() == columns.len() {
            let mut stays = stays.iter();
            row.retain(|_| stays.next().is_some_and(|stays| *stays));
            // An empty cell makes the row shorter than the table, however few columns are shown.
            row.push(String::new());
        } else if let (Some(width), Some(remark)) = (width, row.get_mut(1)) {
            *remark = truncate(remark, width.saturating_sub(longest + GAP));
        }
    }
    self::columns(&rows)
}

/// Truncates a text to `width` characters.
fn truncate(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let start: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}\u{2026}", start.trim_end())
}

/// Formats keys and values as [`pairs`] does, and wraps values to lines of `width` characters at word
/// boundaries.
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
    // Continuation lines have empty keys, so the column width is the same.
    pairs(&lines)
}

/// Formats keys and values, both left-aligned.
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
    fn numbers_are_right_aligned_with_headings() {
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
    fn remark_does_not_widen_columns() {
        let table = columns(&[row(&["PIPE", "DEPTH", "MAX"]), row(&["x", "no permission"])]);
        assert_eq!(table, "PIPE  DEPTH  MAX\nx     no permission\n");
    }

    #[test]
    fn columns_are_omitted_in_order() {
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
        // Columns of order 0 are always shown.
        assert!(table(Some(1)).starts_with("PIPE  DEPTH\n0         3\n"));
    }

    #[test]
    fn long_values_wrap_at_words() {
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
    fn no_rows_give_empty_text() {
        assert_eq!(columns(&[]), "");
        assert_eq!(pairs(&[]), "");
    }

    #[test]
    fn values_are_aligned() {
        let rows = [("id", "0"), ("msg_size", "256")].map(|(k, v)| (k.into(), v.into()));
        assert_eq!(pairs(&rows), "id        0\nmsg_size  256\n");
    }
}
