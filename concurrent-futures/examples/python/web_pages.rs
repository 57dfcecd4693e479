//! Python: `Pool(3)` fetches web pages, and the `callback` of each `apply_async` prints the title that a regular
//! expression finds. Here the pages come from a server in this program.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use concurrent_futures::{Error, ErrorKind, Executor, ProcessPoolExecutor, ReturnWhen, wait};

const PAGES: [&str; 3] = ["Python", "OpenStack", "Sina"];

fn io(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Other, error.to_string())
}

/// Serves one page to each of as many clients as there are pages.
fn serve(listener: &TcpListener) -> std::io::Result<()> {
    for _ in PAGES {
        let (mut client, _) = listener.accept()?;
        // The first line is `GET /name HTTP/1.0`, and an empty one ends the request.
        let mut lines = BufReader::new(&client).lines();
        let path = lines.next().transpose()?.unwrap_or_default();
        lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
        let name = path.split(['/', ' ']).nth(2).unwrap_or("nothing");
        write!(client, "HTTP/1.0 200 OK\r\n\r\n<html><title>Welcome to {name}</title></html>")?;
    }
    Ok(())
}

fn get_page((server, name): (SocketAddr, String)) -> Result<String, String> {
    let fetch = || {
        let mut server = TcpStream::connect(server)?;
        write!(server, "GET /{name} HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        server.read_to_string(&mut page).map(|_| page)
    };
    fetch().map_err(|error: std::io::Error| error.to_string())
}

fn print_title(page: Result<&Result<String, String>, &Error>) {
    match page {
        Ok(Ok(page)) => {
            let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
            println!("{}", title.unwrap_or("no title"));
        }
        Ok(Err(failure)) => println!("not fetched: {failure}"),
        Err(error) => println!("the task failed: {error}"),
    }
}

pub fn run() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(io)?;
    let address = listener.local_addr().map_err(io)?;
    let server = thread::spawn(move || serve(&listener));
    let pool = ProcessPoolExecutor::new(3)?;
    let mut pages = Vec::new();
    for name in PAGES {
        let page = pool.submit(get_page, (address, name.to_owned()))?;
        page.add_result_callback(print_title);
        pages.push(page);
    }
    let done = wait(&pages, None, ReturnWhen::AllCompleted).done;
    // The callbacks have left the pages.
    let bytes: usize = done
        .into_iter()
        .map(|page| page.result(None).map(|page| page.map_or(0, |page| page.len())))
        .sum::<Result<_, _>>()?;
    println!("{bytes} bytes in {} pages", PAGES.len());
    server.join().expect("the server does not panic").map_err(io)
}
