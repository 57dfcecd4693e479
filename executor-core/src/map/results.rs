//! The results of a chunk: one for each item.

use std::vec;

use crate::Error;

/// The results of a chunk, in the order of its items. Values are contiguous, because almost all results are values.
pub(super) struct Results<R> {
    /// The values before the first error.
    values: Vec<R>,
    /// Each error, and the values that follow it.
    errors: Vec<(Error, Vec<R>)>,
}

impl<R> Results<R> {
    pub(super) fn with_capacity(items: usize) -> Results<R> {
        Results { values: Vec::with_capacity(items), errors: Vec::new() }
    }

    /// Returns the vector to which the next values must be appended.
    pub(super) fn values(&mut self) -> &mut Vec<R> {
        match self.errors.last_mut() {
            None => &mut self.values,
            Some((_, values)) => values,
        }
    }

    pub(super) fn push(&mut self, result: Result<R, Error>) {
        match result {
            Ok(value) => self.values().push(value),
            Err(error) => self.errors.push((error, Vec::new())),
        }
    }

    pub(super) fn first_error(&self) -> Option<&Error> {
        self.errors.first().map(|(error, _)| error)
    }

    fn len(&self) -> usize {
        self.values.len() + self.errors.iter().map(|(_, values)| 1 + values.len()).sum::<usize>()
    }

    /// Returns exactly as many results as there are items: surplus ones are removed, and missing ones become errors.
    pub(super) fn complete(mut self, items: usize, missing: impl Fn() -> Error) -> Results<R> {
        for _ in self.len()..items {
            self.push(Err(missing()));
        }
        for _ in items..self.len() {
            if self.values().pop().is_none() {
                self.errors.pop();
            }
        }
        self
    }
}

impl<R> IntoIterator for Results<R> {
    type Item = Result<R, Error>;
    type IntoIter = ResultsIter<R>;

    fn into_iter(self) -> ResultsIter<R> {
        ResultsIter { values: self.values.into_iter(), errors: self.errors.into_iter() }
    }
}

/// An iterator over the results of a chunk.
pub(super) struct ResultsIter<R> {
    values: vec::IntoIter<R>,
    errors: vec::IntoIter<(Error, Vec<R>)>,
}

impl<R> ResultsIter<R> {
    pub(super) fn empty() -> ResultsIter<R> {
        Results::with_capacity(0).into_iter()
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() + self.errors.as_slice().iter().map(|(_, values)| 1 + values.len()).sum::<usize>()
    }

    #[cold]
    fn next_error(&mut self) -> Option<Result<R, Error>> {
        let (error, values) = self.errors.next()?;
        self.values = values.into_iter();
        Some(Err(error))
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
        results.into_iter().map(|result| result.map_err(|_| ())).collect()
    }

    #[test]
    fn results_are_yielded_in_the_order_of_insertion() {
        for given in [&[][..], &[Ok(1), Ok(2)], &[Err(())], &[Err(()), Ok(1), Err(()), Err(()), Ok(2), Ok(3), Err(())]]
        {
            assert_eq!(results(given).into_iter().len(), given.len());
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
}
