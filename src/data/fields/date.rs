//! Dates: `2024-02-29`, `2024-02-29 13:45`, `2024-02-29T13:45:10Z` (ISO 8601) as numbers.

use crate::base::schema::DatePart;

/// The names of the parts.
pub const PARTS: [(&str, DatePart); 6] = [
    ("year", DatePart::Year),
    ("month", DatePart::Month),
    ("day", DatePart::Day),
    ("weekday", DatePart::Weekday),
    ("hour", DatePart::Hour),
    ("minute", DatePart::Minute),
];

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
}

impl Date {
    /// Reads a date; `None` of what is none.
    pub fn read(text: &str) -> Option<Date> {
        let (date, time) = match text.find(['T', ' ']) {
            Some(at) => (&text[..at], Some(text[at + 1..].trim_end_matches('Z'))),
            None => (text, None),
        };
        let mut parts = date.splitn(3, ['-', '/']);
        let mut part = |digits: usize| -> Option<u32> {
            let text = parts.next()?;
            let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
            if plain { text.parse().ok() } else { None }
        };
        let (year, month, day) = (part(4)? as i32, part(2)?, part(2)?);
        let (hour, minute) = match time {
            Some(time) => clock(time)?,
            None => (0, 0),
        };
        let is_date = (1..=12).contains(&month) && (1..=days(year, month)).contains(&day);
        (is_date && hour < 24 && minute < 60).then_some(Date { year, month, day, hour, minute })
    }

    /// A part as a number.
    pub fn part(self, part: DatePart) -> f32 {
        match part {
            DatePart::Year => self.year as f32,
            DatePart::Month => self.month as f32,
            DatePart::Day => self.day as f32,
            DatePart::Weekday => self.weekday() as f32,
            DatePart::Hour => self.hour as f32,
            DatePart::Minute => self.minute as f32,
        }
    }

    /// The day of the week, 0 for Monday (Sakamoto's method).
    fn weekday(self) -> u32 {
        const OFFSETS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let year = self.year - i32::from(self.month < 3);
        let sunday_first = year + year / 4 - year / 100
            + year / 400
            + OFFSETS[self.month as usize - 1]
            + self.day as i32;
        (sunday_first + 6).rem_euclid(7) as u32
    }
}

/// Hour and minute of `13:45` or `13:45:10`.
fn clock(time: &str) -> Option<(u32, u32)> {
    let mut parts = time.split(':');
    let (hour, minute) = (parts.next()?.parse().ok()?, parts.next().unwrap_or("0").parse().ok()?);
    let seconds = parts.next().unwrap_or("0").parse::<f64>().ok()?;
    ((0.0..61.0).contains(&seconds) && parts.next().is_none()).then_some((hour, minute))
}

/// The days of a month.
fn days(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_others_are_not() {
        let date = Date::read("2024-02-29T13:45:10Z").unwrap();
        let parts = PARTS.map(|(_, part)| date.part(part));
        assert_eq!(parts, [2024.0, 2.0, 29.0, 3.0, 13.0, 45.0], "a Thursday");
        assert_eq!(Date::read("2000/01/01").unwrap().part(DatePart::Weekday), 5.0, "a Saturday");
        assert!(Date::read("2013-01-01 05:00:00").is_some());
        for wrong in
            ["", "2023-02-29", "24-1-1", "2024-13-01", "2024-01-01 25:00", "2024-01-01 1:2:3:4"]
        {
            assert_eq!(Date::read(wrong), None, "{wrong}");
        }
    }
}
