/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For spin: who may do what to a dma-buf, in which order, and who waits for whom
 *
 * A buffer of samples/dma-buf/bar-export.c, which moves and whose device is removed;
 * two importers as edu-import.c, which map when they have something to do, and unmap
 * late when they are told while they do it; user space, which closes the dma-buf, and
 * may have opened its path. Names are those of drivers/dma-buf/dma-buf.c. trace.py
 * looks whether a trace has its events in the order of the model.
 *
 * Everybody's loops have an end, so whatever waits for ever is an invalid end state.
 *
 * -D HANG	an importer's device may hang: it signals late, if ever, and the
 *		importer never unmaps. Time passes then: a wait with a timeout may end.
 *		Without it time stands still, so that nothing ends because of a timeout.
 * -D STUCK	a fence that is never signalled, too, which breaks the rules of dma-fence
 * -D BUG_...	what was planted: see prove.sh
 */
#ifndef ROUNDS
#define ROUNDS	1	/* of an importer */
#endif
#ifndef MOVES
#define MOVES	1
#endif
#define TIMEOUT	3	/* in what a wait may last: 1 is the patience */

#define NOBODY	255
#define lock(l)		atomic { l == NOBODY -> l = _pid }
#define unlock(l)	atomic { assert(l == _pid); l = NOBODY }

/*
 * What is done under a lock is one step: nobody sees what is between. Whoever waits
 * in the middle of it still has the lock, but lets the others run.
 */

byte resv = NOBODY;	/* dmabuf->resv */
byte bar_lock = NOBODY;	/* bar->lock */

bit in_bar = 1;		/* !buf->pages */
bit unplugged;		/* buf->unplugged */
bit removed;		/* remove() has returned, and the BAR is gone */
byte reported;		/* what it said is left */

/* The file: references to it, and of those and paths to the dentry */
byte file_refs = 1, dentry_refs = 1;
bit user_has_fd = 1;
bit file_there = 1;	/* dmabuf->file, in dmabuf_list */
bit in_buffers = 1;	/* bar->buffers */
bit freed;

/* Importers */
byte state[2];		/* by the events below */
bit attached[2];	/* in dmabuf->attachments */
bit has_list[2];	/* imp->list */
bit in_mappings[2];	/* in dmabuf->mappings */
bit peer[2];		/* the list is of the BAR */
bit fence[2];		/* in resv, not signalled */
bit busy[2], stale[2];
bit reaches[2];		/* the BAR */
bit woken;		/* wake_up_var() since the last look */
bit has_path;		/* user space opened it with O_PATH */
byte nr_lists;		/* buf->nr_lists: of system memory */
byte ticks;		/* that remove() has waited */

#define is_mapped(i)	(in_mappings[i] && peer[i])
#define any_device	(is_mapped(0) || is_mapped(1))
#define any_revocable	any_device
#define idle		(!fence[0] && !fence[1])

/* What has to hold whenever nobody has the lock, and at all times of what is freed. */
#define agree(i)	(has_list[i] == in_mappings[i])
#define books		(agree(0) && agree(1) && nr_lists == \
			 (has_list[0] && !peer[0]) + (has_list[1] && !peer[1]))
#define release_resv	atomic { assert(resv == _pid && books && !freed); resv = NOBODY }

/*
 * The order of events, for trace.py too, which reads these lines: it is what a trace
 * of the real thing has to have.
 */
#define AWAY		0
#define ATTACHED	1
#define MAPPED		2
#define step(i, from, to)	assert(state[i] == from); state[i] = to
#define event_attach(i)		step(i, AWAY, ATTACHED)
#define event_map(i)		step(i, ATTACHED, MAPPED)
#define event_unmap(i)		step(i, MAPPED, ATTACHED)
#define event_detach(i)		step(i, ATTACHED, AWAY)

/* __fput() by whoever had the last reference, with no lock held */
inline put_dentry()
{
	dentry_refs--;
	if
	:: dentry_refs
	:: else ->
		/* dma_buf_release(), bar_release() */
		lock(bar_lock);
		in_buffers = 0;
		assert(!attached[0] && !attached[1]);
		assert(!in_mappings[0] && !in_mappings[1]);
		freed = 1;
		unlock(bar_lock)
	fi
}


inline put_file()
{
	atomic {
		assert(file_refs > 0);
		file_refs--;
		if
		:: !file_refs ->
			file_there = 0;		/* dma_buf_file_release() */
			put_dentry()
		:: else
		fi
	}
}

/* The importers' and the core's side, under the reservation lock */

inline list_unmap(i)
{
	assert(resv == _pid && has_list[i] && in_mappings[i]);
#ifdef BUG_FREE_FIRST
	has_list[i] = 0;
	release_resv;
	lock(resv);
#endif
	/* dma_buf_route_gone() under records_lock, and the exporter's unmap */
	atomic {
		event_unmap(i);
		in_mappings[i] = 0;
		has_list[i] = 0;
		stale[i] = 0;
		nr_lists = nr_lists - !peer[i];
#ifndef BUG_NO_WAKE
		woken = woken || peer[i]
#endif
	}
}

inline invalidate(i)
{
	if
	:: attached[i] && busy[i] -> stale[i] = 1
	:: attached[i] && !busy[i] && has_list[i] -> list_unmap(i)
	:: else
	fi
}

/* bar_move_to_system(), bar_move_to_bar() */
inline move(to_bar)
{
	invalidate(0);
	invalidate(1);
#ifndef BUG_NO_FENCE
	(idle);
#endif
	in_bar = to_bar
}

#ifdef BUG_REMAP
#define is_lost	false
#else
#define is_lost	unplugged
#endif

/* dma_buf_list_map(), bar_map() */
inline list_map(i)
{
	if
	:: in_bar && !reaches[i] && !unplugged -> move(0)
	:: else
	fi;
	if
	:: in_bar && (is_lost || !reaches[i])	/* -ENODEV, -EREMOTEIO */
	:: else ->
		atomic {
			event_map(i);
			assert(!in_bar || !removed);
			peer[i] = in_bar;
			nr_lists = nr_lists + !in_bar;
			in_mappings[i] = 1;	/* dma_buf_route_made() */
			has_list[i] = 1
		}
	fi
}

proctype importer(byte i)
{
	byte round;

again:	/* dma_buf_get(), bar_attach(), dma_buf_dynamic_attach() */
	atomic {
		if
		:: user_has_fd -> file_refs++
		:: goto out
		fi;
		lock(resv);
		attached[i] = !(unplugged && in_bar);
		release_resv;
		if
		:: !attached[i] -> put_file(); goto out
		:: else -> event_attach(i)
		fi
	};

	do
	:: round < ROUNDS ->
		round++;
		/* edu_begin() */
		atomic {
			lock(resv);
			if
			:: !has_list[i] -> list_map(i)
			:: else
			fi;
			if
			:: has_list[i] ->
				(!fence[1 - i]);
				fence[i] = 1;
				busy[i] = 1
			:: else
			fi;
			release_resv
		};
		if
		:: !busy[i] -> break
		:: else
		fi;
		/* The device accesses the memory, and is done. */
		atomic {
			assert(peer[i] == in_bar);
			assert(!peer[i] || !removed || reported);
#ifdef STUCK
			if
			:: goto out
			:: skip
			fi;
#endif
			fence[i] = 0;
#ifdef HANG
			if
			:: goto out
			:: skip
			fi
#endif
		};
		/* edu_end() */
		atomic {
			lock(resv);
			busy[i] = 0;
#ifndef BUG_LATE_UNMAP
			if
			:: stale[i] -> list_unmap(i)
			:: else
			fi;
#endif
			release_resv
		}
	:: break
	od;

	/* User space may keep it, without doing anything. */
	if
	:: skip -> (removed)
	:: skip
	fi;

	/* edu_detach(), dma_buf_detach() */
	atomic {
		lock(resv);
#ifndef BUG_DETACH
		if
		:: has_list[i] -> list_unmap(i)
		:: else
		fi;
#endif
		release_resv;
		lock(resv);
		event_detach(i);
		assert(!in_mappings[i]);
		attached[i] = 0;
		release_resv;
		put_file()
	};
	if
	:: round < ROUNDS -> round++; goto again
	:: else
	fi;
out:	skip
}

/* bar_ioctl_move() */
proctype mover()
{
	byte n;

	do
	:: n < MOVES ->
		n++;
		atomic {
			if
			:: user_has_fd -> file_refs++
			:: !user_has_fd -> break
			fi;
			lock(resv);
			if
			:: !unplugged && in_bar -> move(0)
			:: !unplugged && !in_bar -> move(1)
			:: else
			fi;
			release_resv;
			put_file()
		}
	:: break
	od
}

/* close(), and of a descriptor of O_PATH some time after that */
proctype user()
{
	atomic {
		user_has_fd = 0;
		put_file()
	};
	if
	:: has_path -> put_dentry()
	:: else
	fi
}

/* dma_buf_iter_begin(): the reference is only had of a file that is there */
inline get_file_there()
{
	if
#ifdef BUG_STALE_FILE
	:: atomic { in_buffers -> assert(file_refs > 0); file_refs++; have = 1 }
#else
	:: atomic { file_there && file_refs > 0 -> file_refs++; have = 1 }
#endif
	:: else -> have = 0
	fi
}

#ifdef HANG
#define tick	left > 0 -> left--; ticks++
#define is_late	left == 0
#else
#define tick	false
#define is_late	false
#endif

/* dma_buf_revoke_wait_for() */
inline wait_for(budget)
{
	left = budget;
	done = 0;
	atomic {
		lock(resv);
		if
		:: any_device ->
			do
			:: idle -> break
			:: !idle && tick
			:: !idle && is_late -> break
			od
		:: else
		fi;
#ifndef BUG_WAIT_LOCKED
		release_resv
#endif
	};
	/* wait_var_event_timeout() */
	do
#ifdef BUG_NO_WAIT
	:: break
#else
	:: is_late -> done = !any_revocable; break
	:: else ->
		woken = 0;
		if
		:: !any_revocable -> done = 1; break
		:: else ->
			if
			:: woken
			:: tick
			fi
		fi
#endif
	od
	;
#ifdef BUG_WAIT_LOCKED
	release_resv
#else
	skip
#endif
}

/* bar_remove(), dma_buf_revoke_all() */
proctype remove()
{
	bit have, deferred, done;
	byte left;

	lock(bar_lock);
	if
	:: in_buffers ->
		get_file_there();
		if
		:: have ->
			atomic {
				lock(resv);
				unplugged = 1;
				release_resv
			};
#ifdef BUG_PUT_LOCKED
			put_file()
#else
			deferred = 1
#endif
		:: else
		fi
	:: else
	fi;
	unlock(bar_lock);

	get_file_there();
	if
	:: have ->
		atomic {
			lock(resv);	/* dma_buf_revoke_tell() */
			if
			:: attached[0] && is_mapped(0) -> invalidate(0)
			:: else
			fi;
			if
			:: attached[1] && is_mapped(1) -> invalidate(1)
			:: else
			fi;
			release_resv
		};
		put_file()	/* __fput_sync() */
	:: else
	fi;

	get_file_there();
	if
	:: have ->
		wait_for(1);
		if
		:: !done ->
#ifdef BUG_TIMEOUT
			wait_for(TIMEOUT)
#else
			wait_for(TIMEOUT - 1)
#endif
		:: else
		fi;
		atomic {
			lock(resv);
#ifndef BUG_NOT_REPORTED
			reported = is_mapped(0) + is_mapped(1);
#endif
			release_resv
		};
		put_file()
	:: else
	fi;

	atomic {
		assert(ticks <= TIMEOUT);
		assert(is_mapped(0) + is_mapped(1) <= reported);
#ifndef HANG
		assert(!reported);
#endif
		removed = 1;
		left = 0;
		have = 0;
		done = 0
	};

	/* What fput() has put off until the return to user space */
	if
	:: deferred -> put_file()
	:: else
	fi
}

init
{
	atomic {
		reaches[0] = 1;
		if
		:: reaches[1] = 1
		:: skip
		fi;
		if
		:: has_path = 1; dentry_refs++
		:: skip
		fi;
		run importer(0);
#ifndef ALONE
		run importer(1);
#endif
		run mover();
		run user();
		run remove()
	}
}
