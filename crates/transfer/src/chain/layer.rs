//! One layer after the other, of anything that can be read.

use std::fmt;
use std::io::{self, BufRead, Seek};
use std::sync::{Mutex, PoisonError};

use block_copy::Progress;
use extents::Bytes;
use hyperlayer::{End, Event, Header, LayerId, ReadError, ReadOptions, Reader, SkimReader};

use crate::{Demands, Error, Promises};

/// What an [`LayerInput`] gives when it is opened.
pub type Opened<'a> = Box<dyn BufRead + Send + 'a>;

/// What can be read from any place: of it the data of a stream can be stepped over.
pub trait Seekable: BufRead + Seek + Send {}

impl<T: BufRead + Seek + Send> Seekable for T {}

type Open<'a> = Box<dyn Fn() -> io::Result<Opened<'a>> + Send + Sync + 'a>;
type OpenSeekable<'a> = Box<dyn Fn() -> io::Result<Option<Box<dyn Seekable + 'a>>> + Send + Sync + 'a>;

/// Where a layer comes from, and how to open it: as often as it must be read, each time from its beginning.
pub struct LayerInput<'a> {
    name: String,
    open: Open<'a>,
    seekable: Option<OpenSeekable<'a>>,
    options: ReadOptions,
    demands: Demands,
    expected: Option<LayerId>,
    volume_size: Option<Bytes>,
}

impl<'a> LayerInput<'a> {
    /// An input that its user calls `name`.
    pub fn new(name: impl Into<String>, open: impl Fn() -> io::Result<Opened<'a>> + Send + Sync + 'a) -> Self {
        let (options, demands) = (ReadOptions::default(), Demands::default());
        let (name, open) = (name.into(), Box::new(open));
        Self { name, open, seekable: None, options, demands, expected: None, volume_size: None }
    }

    /// Where the bytes of the stream itself can be read from any place, another way to open it; it gives `None` where they
    /// cannot, as where they are compressed. Who only wants to know where the records lie then reads no data.
    #[must_use]
    pub fn or_seekable(self, open: impl Fn() -> io::Result<Option<Box<dyn Seekable + 'a>>> + Send + Sync + 'a) -> Self {
        Self { seekable: Some(Box::new(open)), ..self }
    }

    /// An input that is open already, such as standard input: it can be read once.
    pub fn once(name: impl Into<String>, opened: Opened<'a>) -> Self {
        let opened = Mutex::new(Some(opened));
        Self::new(name, move || {
            let opened = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
            opened.ok_or_else(|| io::Error::other("it can be read only once"))
        })
    }

    /// Gives it another name in errors.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Says what some foreign formats do not.
    #[must_use]
    pub fn with_options(self, options: ReadOptions) -> Self {
        Self { options, ..self }
    }

    /// Says what each layer must promise.
    #[must_use]
    pub fn demanding(self, demands: Demands) -> Self {
        Self { demands, ..self }
    }

    /// Takes a layer also where nothing in it says that it is whole, and else demands what it did.
    #[must_use]
    pub fn accept_open_end(self, accept: bool) -> Self {
        Self { demands: Demands { end: !accept, ..self.demands }, ..self }
    }

    /// Refuses another layer than this one.
    #[must_use]
    pub fn expecting(self, layer: LayerId) -> Self {
        Self { expected: Some(layer), ..self }
    }

    /// Refuses a layer of a volume of another size than this one.
    #[must_use]
    pub fn of_size(self, volume_size: Bytes) -> Self {
        Self { volume_size: Some(volume_size), ..self }
    }

    /// What its user calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens it and reads the first header.
    ///
    /// # Errors
    /// It cannot be read, is no stream or only the rest of a layer, or holds another layer than is expected.
    pub fn open(&self) -> Result<LayerReader<Opened<'a>>, Error> {
        self.open_rest()?.whole()
    }

    /// The same where the first layer may be only the rest of one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_rest(&self) -> Result<LayerReader<Opened<'a>>, Error> {
        let opened = (self.open)().map_err(|source| Error::input(source).of(&self.name));
        let layer = LayerReader::open_rest(&self.name, opened?, self.options)?.demand(self.demands)?;
        let (input, found) = (self.name.clone(), &layer.header);
        if let Some(expected) = self.expected.clone().filter(|expected| found.layer.as_ref() != Some(expected)) {
            return Err(Error::OtherLayer { input, expected, found: layer.header.layer });
        }
        match self.volume_size.filter(|size| found.volume_size != Some(*size)) {
            Some(expected) => Err(Error::OtherVolumeSize { input, expected, found: found.volume_size }),
            None => Ok(layer),
        }
    }
}

impl<'a> LayerInput<'a> {
    /// A reader that steps over the data.
    pub(super) fn open_seekable(&self) -> Result<Option<SkimReader<Box<dyn Seekable + 'a>>>, Error> {
        let Some(open) = &self.seekable else { return Ok(None) };
        let opened = open().and_then(|opened| opened.map(SkimReader::new).transpose());
        opened.map_err(|source| Error::input(source).of(&self.name))
    }

    pub(super) fn accepts_open_end(&self) -> bool {
        !self.demands.end
    }
}

impl fmt::Debug for LayerInput<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerInput").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A layer of which the header is read; of an input that may hold several, one behind the other.
#[derive(Debug)]
pub struct LayerReader<R> {
    reader: Reader<R>,
    header: Header,
    input: String,
    name: String,
    /// Which one of its input, from 1.
    number: u64,
    demands: Demands,
    end: Option<End>,
}

impl<R: BufRead> LayerReader<R> {
    /// Reads the header of the first layer. `name` is what errors call it; a later layer of the same input is `name#2`
    /// and so on.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub fn open(name: &str, input: R) -> Result<Self, Error> {
        Self::open_with(name, input, ReadOptions::default())
    }

    /// The same, told what some foreign formats do not say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(name: &str, input: R, options: ReadOptions) -> Result<Self, Error> {
        Self::open_rest(name, input, options)?.whole()
    }

    /// The same where the first one may be only the rest of a layer ([`Header::resumes`]), for a receiver that has what
    /// is before that; told what some foreign formats do not say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_rest(name: &str, input: R, options: ReadOptions) -> Result<Self, Error> {
        Self::first(name, Reader::with_options(input, options))
    }

    fn first(name: &str, reader: Reader<R>) -> Result<Self, Error> {
        // What is demanded is not known yet; what is not, is not refused here.
        let nothing = Demands { end: false, identity: false };
        let layer = Self::begin(reader, name, 1, nothing)?;
        layer.map(|layer| Self { demands: Demands::default(), ..layer }).ok_or_else(|| Error::NoStream.of(name))
    }

    fn whole(self) -> Result<Self, Error> {
        self.check_whole().map(|()| self)
    }

    /// Says what this layer and those behind it must promise.
    ///
    /// # Errors
    /// It is already seen that this one does not.
    pub fn demand(self, demands: Demands) -> Result<Self, Error> {
        demands.check(&self.header).map_err(|error| error.of(&self.name))?;
        Ok(Self { demands, ..self })
    }

    /// Takes a layer also where nothing in it says that it is whole, and else demands what it did.
    #[must_use]
    pub fn accept_open_end(self, accept: bool) -> Self {
        Self { demands: Demands { end: !accept, ..self.demands }, ..self }
    }

    /// What the layer can promise.
    #[must_use]
    pub fn promises(&self) -> Promises {
        Promises::of(&self.header)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Refuses the rest of a layer, which only who has all before it may look at.
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        match self.header.resumes {
            Some(_) => Err(Error::Rest { input: self.name.clone() }),
            None => Ok(()),
        }
    }

    /// What the layer says next. Its last event is its [`Event::End`], which comes again when it was seen.
    ///
    /// # Errors
    /// It is cut or altered, or does not say that it is whole.
    pub fn next_event(&mut self) -> Result<Event<'_>, Error> {
        if let Some(end) = self.end {
            return Ok(Event::End(end));
        }
        let event = self.reader.next_event().map_err(|error| Error::from(error).of(&self.name))?;
        match &event {
            Some(Event::End(end)) => {
                self.demands.check_end(end).map_err(|error| error.of(&self.name))?;
                self.end = Some(*end);
                Ok(Event::End(*end))
            }
            Some(Event::Header(_)) | None => Err(Error::NoStream.of(&self.name)),
            Some(_) => event.ok_or(Error::NoStream),
        }
    }

    /// Reads to the end of the layer, and so checks all of it.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event).
    pub fn finish(&mut self) -> Result<End, Error> {
        loop {
            if let Event::End(end) = self.next_event()? {
                return Ok(end);
            }
        }
    }

    /// The same; `progress` is told the data.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event); or `progress` asks to stop.
    pub fn read_through(&mut self, progress: &dyn Progress) -> Result<End, Error> {
        loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match self.next_event()? {
                Event::Data { bytes, .. } => progress.advance(Bytes::from(bytes.len())),
                Event::End(end) => return Ok(end),
                _ => {}
            }
        }
    }

    /// The layer behind this one, of which the rest is read first; `None` at the end of the input.
    ///
    /// # Errors
    /// As [`next_event`](Self::next_event) and [`open`](Self::open).
    pub fn next_layer(mut self) -> Result<Option<Self>, Error> {
        self.finish()?;
        Self::begin(self.reader, &self.input, self.number + 1, self.demands)?.map(Self::whole).transpose()
    }

    /// Reads to the end of the input, of which this must be the only layer.
    ///
    /// # Errors
    /// As [`next_layer`](Self::next_layer); or there is another layer.
    pub(crate) fn only(mut self) -> Result<End, Error> {
        let (end, input) = (self.finish()?, self.input.clone());
        match self.next_layer()? {
            None => Ok(end),
            Some(_) => Err(Error::SecondLayer.of(&input)),
        }
    }

    fn begin(mut reader: Reader<R>, input: &str, number: u64, demands: Demands) -> Result<Option<Self>, Error> {
        let name = if number == 1 { input.to_owned() } else { format!("{input}#{number}") };
        let header = match reader.next_event() {
            Ok(Some(Event::Header(header))) => *header,
            Ok(_) => return Ok(None),
            Err(ReadError::Stream(error)) if error.is_cut() && error.position == 0 => return Ok(None),
            Err(error) => return Err(Error::from(error).of(&name)),
        };
        demands.check(&header).map_err(|error| error.of(&name))?;
        Ok(Some(Self { reader, header, input: input.to_owned(), name, number, demands, end: None }))
    }
}
