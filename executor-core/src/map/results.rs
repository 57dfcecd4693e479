//! The results of a chunk: one for each item.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    vec,
};

use crate::{Error, unread};

/// The results of a chunk, in the order of its items. Values are contiguous, because almost all results are values.
pub(super) struct Results<R> {
    /// The values before the first error.
    values: Vec<R>,
    errors: Errors<R>,
}

/// Each error of a chunk, and the values that follow it. Panics that no one has read are printed when it is dropped.
struct Errors<R> {
    list: Vec<(Error, Vec<R>)>,
    /// Whether the first error was passed on, so that it is not unread.
    is_first_read: AtomicBool,
}

impl<R> Results<R> {
    pub(super) fn with_capacity(items: usize) -> Results<R> {
        let errors = Errors { list: Vec::new(), is_first_read: AtomicBool::new(false) };
        Results { values: Vec::with_capacity(items), errors }
    }

    /// Returns the vector to which the next values must be appended.
    pub(super) fn values(&mut self) -> &mut Vec<R> {
        match self.errors.list.last_mut() {
            None => &mut self.values,
            Some((_, values)) => values,
        }
    }

    pub(super) fn push(&mut self, result: Result<R, Error>) {
        match result {
            Ok(value) => self.values().push(value),
            Err(error) => self.errors.list.push((error, Vec::new())),
        }
    }

    /// Returns the first error, for a caller that passes it on.
    pub(super) fn first_error(&self) -> Option<&Error> {
        // ORDERING: the reader and the thread that drops the results are ordered by the state of their task.
        self.errors.is_first_read.store(true, Relaxed);
        self.errors.list.first().map(|(error, _)| error)
    }

    fn len(&self) -> usize {
        self.values.len() + self.errors.list.iter().map(|(_, values)| 1 + values.len()).sum::<usize>()
    }

    /// Returns exactly as many results as there are items: surplus ones are removed, and missing ones become errors.
    pub(super) fn complete(mut self, items: usize, missing: impl Fn() -> Error) -> Results<R> {
        for _ in self.len()..items {
            self.push(Err(missing()));
        }
        for _ in items..self.len() {
            if self.values().pop().is_none() {
                self.errors.list.pop();
            }
        }
        self
    }

    /// Returns an iterator over the results, whose errors say which items they belong to.
    pub(super) fn into_iter(mut self, items: Items) -> ResultsIter<R> {
        let errors = std::mem::take(&mut self.errors.list).into_iter();
        let next_error = items.first + self.values.len();
        ResultsIter { values: self.values.into_iter(), errors: UnreadErrors(errors), next_error, items }
    }
}

impl<R> Drop for Errors<R> {
    fn drop(&mut self) {
        if !self.list.is_empty() {
            let read = usize::from(*self.is_first_read.get_mut());
            unread::report_chunk(self.list.iter().skip(read).map(|(error, _)| error.clone()));
        }
    }
}

/// The names of the items of a chunk, if the map names its items.
pub(super) type Names = Option<Box<[String]>>;

/// Which items of a map a chunk has.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// The number of the first one.
    pub(super) first: usize,
    pub(super) names: Names,
}

/// An iterator over the results of a chunk.
pub(super) struct ResultsIter<R> {
    values: vec::IntoIter<R>,
    errors: UnreadErrors<R>,
    /// The number of the item that the next error belongs to.
    next_error: usize,
    items: Items,
}

/// The errors that were not yielded, and the values that follow each.
struct UnreadErrors<R>(vec::IntoIter<(Error, Vec<R>)>);

impl<R> Drop for UnreadErrors<R> {
    fn drop(&mut self) {
        if self.0.len() > 0 {
            unread::report_chunk(self.0.as_slice().iter().map(|(error, _)| error.clone()));
        }
    }
}

impl<R> ResultsIter<R> {
    pub(super) fn empty() -> ResultsIter<R> {
        Results::with_capacity(0).into_iter(Items::default())
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() + self.errors.0.as_slice().iter().map(|(_, values)| 1 + values.len()).sum::<usize>()
    }

    #[cold]
    fn next_error(&mut self) -> Option<Result<R, Error>> {
        let (error, values) = self.errors.0.next()?;
        let number = self.next_error;
        let name = self.items.names.as_ref().and_then(|names| names.get(number - self.items.first));
        self.next_error += 1 + values.len();
        self.values = values.into_iter();
        Some(Err(error.of_item(number, name.map(String::as_str))))
    }
}

impl<R> Iterator for ResultsIter<R> {
    type Item = Result<R, Error>;

    #[inline]
    fn next(&mut self) -> Option<Result<R, Error>> {
        match self.values.next() {
            Some(value) => Some(Ok(value)),
            None => self.next_error(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn error() -> Error {
        Error::new(ErrorKind::Other, "expected")
    }

    fn results(given: &[Result<u8, ()>]) -> Results<u8> {
        let mut results = Results::with_capacity(0);
        given.iter().for_each(|result| results.push(result.map_err(|()| error())));
        results
    }

    fn read(results: Results<u8>) -> Vec<Result<u8, ()>> {
        results.into_iter(Items::default()).map(|result| result.map_err(|_| ())).collect()
    }

    #[test]
    fn results_are_yielded_in_the_order_of_insertion() {
        for given in [&[][..], &[Ok(1), Ok(2)], &[Err(())], &[Err(()), Ok(1), Err(()), Err(()), Ok(2), Ok(3), Err(())]]
        {
            assert_eq!(results(given).into_iter(Items::default()).len(), given.len());
            assert_eq!(read(results(given)), given);
        }
    }

    #[test]
    fn a_completed_chunk_has_one_result_for_each_item() {
        let given = [Ok(1), Err(()), Ok(2), Ok(3), Err(())];
        for items in 0..8 {
            let mut expected = given.to_vec();
            expected.resize(items, Err(()));
            assert_eq!(read(results(&given).complete(items, error)), expected);
        }
    }

    #[test]
    fn an_error_has_the_number_and_the_name_of_its_item() {
        let given = [Ok(1), Err(()), Ok(2), Ok(3), Err(()), Err(())];
        let names = (0..given.len()).map(|number| format!("n{number}")).collect();
        let items = Items { first: 10, names: Some(names) };
        let errors: Vec<Error> = results(&given).into_iter(items).filter_map(Result::err).collect();
        assert_eq!(errors.iter().map(Error::item).collect::<Vec<_>>(), [Some(11), Some(14), Some(15)]);
        assert_eq!(errors[1].item_name(), Some("n4"));
        assert_eq!(errors[1].to_string(), "item 14 (`n4`): expected");
    }
}
