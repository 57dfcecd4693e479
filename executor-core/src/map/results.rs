//! What a chunk answers: one result for each item.

use std::vec;

use crate::Error;

/// The results of a chunk, in the order of its items. Values lie side by side, for almost all results are values.
pub(super) struct Answers<R> {
    /// The values before the first error.
    values: Vec<R>,
    /// Each error, and the values behind it.
    errors: Vec<(Error, Vec<R>)>,
}

impl<R> Answers<R> {
    pub(super) fn with_capacity(items: usize) -> Answers<R> {
        Answers { values: Vec::with_capacity(items), errors: Vec::new() }
    }

    /// Where the next values go.
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

    fn len(&self) -> usize {
        self.values.len() + self.errors.iter().map(|(_, values)| 1 + values.len()).sum::<usize>()
    }

    /// As many results as there are items: none is left over, and where one is missing this error is in its place.
    pub(super) fn complete(mut self, items: usize, missing: impl Fn() -> Error) -> Answers<R> {
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

impl<R> IntoIterator for Answers<R> {
    type Item = Result<R, Error>;
    type IntoIter = Reading<R>;

    fn into_iter(self) -> Reading<R> {
        Reading { values: self.values.into_iter(), errors: self.errors.into_iter() }
    }
}

/// The results of a chunk, one by one.
pub(super) struct Reading<R> {
    values: vec::IntoIter<R>,
    errors: vec::IntoIter<(Error, Vec<R>)>,
}

impl<R> Reading<R> {
    pub(super) fn nothing() -> Reading<R> {
        Answers::with_capacity(0).into_iter()
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

impl<R> Iterator for Reading<R> {
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
        Error::new(ErrorKind::Other, "as asked for")
    }

    fn answers(results: &[Result<u8, ()>]) -> Answers<u8> {
        let mut answers = Answers::with_capacity(0);
        results.iter().for_each(|result| answers.push(result.map_err(|()| error())));
        answers
    }

    fn read(answers: Answers<u8>) -> Vec<Result<u8, ()>> {
        answers.into_iter().map(|result| result.map_err(|_| ())).collect()
    }

    #[test]
    fn results_come_out_as_they_went_in() {
        for results in
            [&[][..], &[Ok(1), Ok(2)], &[Err(())], &[Err(()), Ok(1), Err(()), Err(()), Ok(2), Ok(3), Err(())]]
        {
            assert_eq!(answers(results).into_iter().len(), results.len());
            assert_eq!(read(answers(results)), results);
        }
    }

    #[test]
    fn there_is_one_result_for_each_item_whatever_was_said() {
        let said = [Ok(1), Err(()), Ok(2), Ok(3), Err(())];
        for items in 0..8 {
            let mut expected = said.to_vec();
            expected.resize(items, Err(()));
            assert_eq!(read(answers(&said).complete(items, error)), expected);
        }
    }
}
