//! A list with a keyword in each row: CSV, as Excel and WPS save it.

use std::ops::ControlFlow;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{Draft, Flaw, Sink};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Keyword,
    Reply,
    Priority,
    Tag,
    Word,
    Regex,
}

/// In a file without a header.
const IN_ORDER: [Column; 4] = [Column::Keyword, Column::Reply, Column::Priority, Column::Tag];

const HEADERS: &str =
    "a header may name: keyword, reply, priority, tag, word, regex (关键词, 回复, 优先级, 标签, 整词, 正则)";

pub(super) fn read(text: &str, delimiter: u8, sink: &mut impl Sink) -> ControlFlow<()> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut place = Place { text, at: 0, line: 1 };
    let mut columns: Option<Vec<Column>> = None;
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return ControlFlow::Continue(()),
            // The text is in memory and UTF-8, so this does not happen; if it does it is no reason to go on.
            Err(error) => {
                let help = "write one keyword in each row, and \"…\" around what holds commas";
                return sink.flaw(Flaw { line: Some(place.line), message: error.to_string(), help });
            }
        }
        let line = place.of(&record);
        if record.iter().all(str::is_empty) {
            continue;
        }
        let columns = match &mut columns {
            Some(columns) => columns,
            none => match header(&record) {
                Ok(Some(header)) => {
                    *none = Some(header);
                    continue;
                }
                Ok(None) => none.insert(IN_ORDER.to_vec()),
                Err(message) => return sink.flaw(Flaw { line: Some(line), message, help: HEADERS }),
            },
        };
        match draft(&record, columns, line) {
            Ok(draft) => sink.entry(draft)?,
            Err(flaw) => sink.flaw(flaw)?,
        }
    }
}

/// The columns, if this row names them: one of its cells is the word "keyword".
fn header(record: &StringRecord) -> Result<Option<Vec<Column>>, String> {
    let named: Vec<_> = record.iter().map(|cell| (cell, Column::named(cell))).collect();
    if named.iter().all(|(_, column)| *column != Some(Column::Keyword)) {
        return Ok(None);
    }
    let mut columns = Vec::new();
    for (cell, column) in named {
        let column =
            column.ok_or_else(|| format!("the header names a column `{}`, which means nothing", head(cell)))?;
        if columns.contains(&column) {
            return Err(format!("the header names the column `{}` twice", head(cell)));
        }
        columns.push(column);
    }
    Ok(Some(columns))
}

fn draft(record: &StringRecord, columns: &[Column], line: usize) -> Result<Draft, Flaw> {
    let flaw = |message: String, help| Flaw { line: Some(line), message, help };
    let mut draft = Draft { line, ..Draft::default() };
    for (nth, cell) in record.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        let Some(column) = columns.get(nth) else {
            let message = format!("this row has {} cells, there are {} columns", record.len(), columns.len());
            return Err(flaw(message, "write \"…\" around what holds commas"));
        };
        match column {
            Column::Keyword => draft.keyword = cell.to_owned(),
            Column::Reply => draft.reply = Some(cell.to_owned()),
            Column::Tag => draft.tag = Some(cell.to_owned()),
            Column::Priority => {
                let number = cell.parse().map_err(|error| {
                    let message = format!("the priority `{}` is no whole number: {error}", head(cell));
                    flaw(message, "write a number like 10, or leave it empty")
                })?;
                draft.priority = Some(number);
            }
            Column::Word | Column::Regex => {
                let yes = yes(cell).ok_or_else(|| {
                    flaw(format!("`{}` is neither yes nor no", head(cell)), "write yes or no (是, 否, 1, 0)")
                })?;
                if *column == Column::Word { draft.word = yes } else { draft.regex = yes }
            }
        }
    }
    if draft.keyword.is_empty() {
        return Err(flaw("this row has no keyword".to_owned(), "write one into its column, or remove the row"));
    }
    Ok(draft)
}

impl Column {
    fn named(cell: &str) -> Option<Self> {
        Some(match &*cell.to_lowercase() {
            "keyword" | "keywords" | "关键词" | "关键字" | "關鍵詞" | "關鍵字" => Self::Keyword,
            "reply" | "answer" | "回复" | "回覆" | "答复" => Self::Reply,
            "priority" | "优先级" | "優先級" => Self::Priority,
            "tag" | "label" | "标签" | "標籤" => Self::Tag,
            "word" | "整词" | "全词" | "整詞" => Self::Word,
            "regex" | "正则" | "正則" => Self::Regex,
            _ => return None,
        })
    }
}

fn yes(cell: &str) -> Option<bool> {
    match &*cell.to_lowercase() {
        "yes" | "true" | "1" | "是" => Some(true),
        "no" | "false" | "0" | "否" => Some(false),
        _ => None,
    }
}

/// As much of a cell as a message quotes.
fn head(cell: &str) -> &str {
    cell.get(..cell.floor_char_boundary(60)).unwrap_or(cell)
}

/// Where a record begins. The reader counts empty and comment lines before it as part of it.
struct Place<'a> {
    text: &'a str,
    at: usize,
    /// The line at `at`.
    line: usize,
}

impl Place<'_> {
    fn of(&mut self, record: &StringRecord) -> usize {
        let byte = record.position().map_or(self.at as u64, csv::Position::byte);
        self.go(usize::try_from(byte).unwrap_or(self.at));
        while let Some((line, _)) = self.text.get(self.at..).and_then(|rest| rest.split_once('\n')) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                break;
            }
            self.go(self.at + line.len() + 1);
        }
        self.line
    }

    fn go(&mut self, to: usize) {
        let passed = self.text.as_bytes().get(self.at..to).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = self.at.max(to);
    }
}
