// SPDX-License-Identifier: GPL-2.0

//! Aligned columns.

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
