//! The kernel's machine for filters of system calls: classic BPF, as far as seccomp admits it.

use libc::sock_filter;

/// The kernel's description of a call (`struct seccomp_data`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Description {
    pub(super) number: u32,
    pub(super) architecture: u32,
    pub(super) instruction_pointer: u64,
    pub(super) arguments: [u64; 6],
}

impl Description {
    const LENGTH: u32 = 64;

    /// Returns the word at an offset, in the byte order of the machine.
    fn word(&self, offset: u32) -> u32 {
        let half = |value: u64, offset: u32| {
            let is_low = (offset % 8 == 0) == cfg!(target_endian = "little");
            if is_low { value as u32 } else { (value >> 32) as u32 }
        };
        match offset {
            0 => self.number,
            4 => self.architecture,
            8 | 12 => half(self.instruction_pointer, offset),
            _ => half(self.arguments[(offset as usize - 16) / 8], offset),
        }
    }
}

/// The longest program that the kernel takes (`BPF_MAXINSNS`).
const LONGEST: usize = 4096;

/// An instruction that seccomp admits, as far as the filters use it. Every other one is refused here, although the
/// kernel admits some more.
#[derive(Clone, Copy, Debug)]
enum Instruction {
    Load { offset: u32 },
    And { bits: u32 },
    Jump { distance: u32 },
    Branch { test: fn(u32, u32) -> bool, value: u32, yes: u8, no: u8 },
    Return { value: u32 },
}

fn decode(instruction: &sock_filter) -> Result<Instruction, String> {
    let sock_filter { code, jt: yes, jf: no, k: value } = *instruction;
    let branch = |test| Ok(Instruction::Branch { test, value, yes, no });
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
    const ALWAYS: u32 = libc::BPF_JMP | libc::BPF_JA;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const GREATER: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
    const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    const ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    match u32::from(code) {
        LOAD if value % 4 == 0 && value < Description::LENGTH => Ok(Instruction::Load { offset: value }),
        AND => Ok(Instruction::And { bits: value }),
        ALWAYS => Ok(Instruction::Jump { distance: value }),
        EQUAL => branch(|accumulator, value| accumulator == value),
        GREATER => branch(|accumulator, value| accumulator > value),
        AT_LEAST => branch(|accumulator, value| accumulator >= value),
        ANY_BIT => branch(|accumulator, value| accumulator & value != 0),
        RETURN => Ok(Instruction::Return { value }),
        _ => Err(format!("the kernel does not take code {code:#x} with {value:#x}")),
    }
}

/// A program that the kernel would take.
pub(super) struct Program(Vec<Instruction>);

impl Program {
    /// Checks what the kernel checks: every jump goes forward and stays inside, and every way through ends with an
    /// action.
    pub(super) fn check(program: &[sock_filter]) -> Result<Program, String> {
        if program.is_empty() || program.len() > LONGEST {
            return Err(format!("a program of {} instructions", program.len()));
        }
        let code = program.iter().map(decode).collect::<Result<Vec<Instruction>, String>>()?;
        for (at, instruction) in code.iter().enumerate() {
            let farthest = match *instruction {
                Instruction::Jump { distance } => distance as usize,
                Instruction::Branch { yes, no, .. } => usize::from(yes.max(no)),
                _ => 0,
            };
            if at + 1 + farthest >= code.len() && !matches!(instruction, Instruction::Return { .. }) {
                return Err(format!("instruction {at} leads out of the program: {instruction:?}"));
            }
        }
        Ok(Program(code))
    }

    /// Returns the action for a call, and after how many instructions it is found.
    pub(super) fn run(&self, call: &Description) -> (u32, usize) {
        let (mut at, mut accumulator) = (0, 0);
        for steps in 1.. {
            match self.0[at] {
                Instruction::Load { offset } => accumulator = call.word(offset),
                Instruction::And { bits } => accumulator &= bits,
                Instruction::Jump { distance } => at += distance as usize,
                Instruction::Branch { test, value, yes, no } => {
                    at += usize::from(if test(accumulator, value) { yes } else { no });
                }
                Instruction::Return { value } => return (value, steps),
            }
            at += 1;
        }
        unreachable!("every jump goes forward")
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn statement(code: u32, value: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

#[test]
fn programs_that_the_kernel_would_not_take_are_refused() {
    let end = statement(libc::BPF_RET | libc::BPF_K, 0);
    let jump = |yes, no| sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ) as u16, jt: yes, jf: no, k: 0 };
    let bad: [&[sock_filter]; 7] = [
        &[],
        &vec![end; LONGEST + 1],
        &[statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 62), end],
        &[statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 64), end],
        &[jump(1, 0), end],
        &[statement(libc::BPF_JMP | libc::BPF_JA, 1), end],
        &[end, statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 1)],
    ];
    for program in bad {
        assert!(Program::check(program).is_err(), "{} instructions", program.len());
    }
    assert!(Program::check(&[jump(0, 1), end, end]).is_ok());
}

#[test]
fn instructions_do_what_their_names_say() {
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let give = |value| statement(libc::BPF_RET | libc::BPF_K, value);
    let jump = |code, value| sock_filter { code: (libc::BPF_JMP | code) as u16, jt: 0, jf: 1, k: value };
    let call =
        Description { number: 5, architecture: 6, instruction_pointer: 7, arguments: [8, 9 << 32 | 10, 0, 0, 0, 11] };
    let run = |program: &[sock_filter]| Program::check(program).expect("valid").run(&call);
    for (offset, value) in [(0, 5), (4, 6), (16, 8), (56, 11)] {
        let half = if cfg!(target_endian = "little") { offset } else { offset + if offset < 8 { 0 } else { 4 } };
        assert_eq!(run(&[load(half), jump(libc::BPF_JEQ, value), give(1), give(2)]).0, 1, "{offset}");
    }
    for (code, value, is_met) in [
        (libc::BPF_JEQ, 4, false),
        (libc::BPF_JGE, 5, true),
        (libc::BPF_JGE, 6, false),
        (libc::BPF_JGT, 4, true),
        (libc::BPF_JGT, 5, false),
        (libc::BPF_JSET, 6, true),
        (libc::BPF_JSET, 2, false),
    ] {
        let action = if is_met { 1 } else { 2 };
        assert_eq!(run(&[load(0), jump(code, value), give(1), give(2)]), (action, 3), "{code:#x} {value}");
    }
    let and = statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 4);
    assert_eq!(run(&[load(0), and, jump(libc::BPF_JEQ, 4), give(1), give(2)]).0, 1);
    assert_eq!(run(&[statement(libc::BPF_JMP | libc::BPF_JA, 1), give(1), give(2)]), (2, 2));
}
