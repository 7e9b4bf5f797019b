// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does a list say what it should, whichever way it is read?
 *
 * A first pass compares all of it with the reference and the model, by intervals
 * and not page by page, since a run may have 2^40 pages. What it found is what
 * every other way of reading has to find again.
 */
#include "fuzz.h"

/**
 * struct piece - pages that follow each other as addresses and in memory
 * @pos: its first page, from the start of the list
 * @dma: DMA address
 * @phys: physical address
 * @npages: length
 * @chunk_end: where the chunk ends that it is a part of, without pages
 * @range_end: where the range ends
 */
struct piece {
	u64 pos;
	u64 dma;
	u64 phys;
	u64 npages;
	u64 chunk_end;
	u64 range_end;
};

static struct piece pieces[MAX_MAPS];
static unsigned int nr_pieces, piece_hint;
static u64 npages_all;
static unsigned long nr_ranges;

static u64 piece_end(const struct piece *piece)
{
	return piece->pos + piece->npages;
}

static u64 piece_dma_end(const struct piece *piece)
{
	return piece->dma + (piece->npages << PAGE_SHIFT);
}

static const struct piece *piece_at(u64 pos)
{
	unsigned int low = 0, high = nr_pieces;

	if (piece_hint < nr_pieces &&
	    pos - pieces[piece_hint].pos < pieces[piece_hint].npages)
		return &pieces[piece_hint];
	expect(pos < npages_all);
	while (high - low > 1) {
		unsigned int mid = (low + high) / 2;

		if (pieces[mid].pos <= pos)
			low = mid;
		else
			high = mid;
	}
	piece_hint = low;
	return &pieces[low];
}

static u64 dma_at(u64 pos)
{
	const struct piece *piece = piece_at(pos);

	return piece->dma + ((pos - piece->pos) << PAGE_SHIFT);
}

/* Every page of @chunk, which starts at @pos, reaches the memory that it should. */
static void check_reached(const struct dma_buf_list *list,
			  const struct dma_buf_chunk *chunk, u64 pos)
{
	bool for_bus = dma_buf_list_route(list) == DMA_BUF_ROUTE_BUS_ADDR;
	u64 done, mapped, wanted, left;

	for (done = 0; done < chunk->npages; done += min(left, wanted)) {
		u64 addr = chunk->dma_addr + (done << PAGE_SHIFT);
		u64 phys = segment_at(pos + done, &wanted);

		expect(model_reached(addr, &mapped, for_bus) == phys,
		       "page %llu of the buffer", (unsigned long long)pos + done);
		left = min(mapped, chunk->npages - done);
	}
}

static void check_page(const struct dma_buf_chunk *chunk, u64 pos,
		       enum shown shown)
{
	u64 phys, n, done;

	expect(chunk->page ? shown != SHOWN_NOT : shown != SHOWN);
	if (!chunk->page)
		return;

	expect(page_range_contiguous(chunk->page, chunk->npages));
	phys = page_to_phys(chunk->page);
	for (done = 0; done < chunk->npages; done += n)
		expect(segment_at(pos + done, &n) == phys + PFN_PHYS(done));
}

static void check_chunk(const struct dma_buf_chunk *chunk)
{
	u64 bytes = (u64)chunk->npages << PAGE_SHIFT;

	expect(chunk->npages && chunk->npages <= U64_MAX >> PAGE_SHIFT);
	expect(IS_ALIGNED(chunk->dma_addr, PAGE_SIZE));
	expect(chunk->dma_addr + bytes - 1 >= chunk->dma_addr);
}

/* The first pass, returns false if this is more than it has room for. */
static bool read_pieces(const struct dma_buf_list *list, enum shown shown)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;

	nr_pieces = 0;
	npages_all = 0;
	cursor_init(&cursor, list);
	dma_buf_cursor_show_pages(&cursor);
	dma_buf_cursor_for_each_chunk(chunk, &cursor) {
		if (nr_pieces == MAX_MAPS)
			return false;
		check_chunk(&chunk);
		expect(chunk.npages <= total_pages - npages_all);
		check_reached(list, &chunk, npages_all);
		check_page(&chunk, npages_all, shown);
		pieces[nr_pieces++] = (struct piece) {
			.pos = npages_all,
			.dma = chunk.dma_addr,
			.phys = chunk.page ? page_to_phys(chunk.page) : 0,
			.npages = chunk.npages,
		};
		npages_all += chunk.npages;
	}
	expect(npages_all == total_pages);
	expect(dma_buf_list_npages(list) == total_pages);
	return true;
}

static void find_ranges(void)
{
	unsigned int i;

	nr_ranges = nr_pieces ? 1 : 0;
	for (i = nr_pieces; i--; ) {
		struct piece *piece = &pieces[i];

		piece->range_end = piece_end(piece);
		if (i + 1 == nr_pieces)
			continue;
		if (piece[1].dma == piece_dma_end(piece) && piece[1].dma)
			piece->range_end = piece[1].range_end;
		else
			nr_ranges++;
	}
}

static void check_chunks(const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk chunk;
	unsigned long nchunks = 0;
	unsigned int i = 0;
	u64 pos = 0;

	dma_buf_list_for_each_chunk(chunk, &cursor, list) {
		check_chunk(&chunk);
		check_page(&chunk, pos, SHOWN_NOT);
		expect(chunk.dma_addr == dma_at(pos));
		pos += chunk.npages;
		nchunks++;
		/* It is no longer than the addresses go on. */
		for (; i < nr_pieces && piece_end(&pieces[i]) <= pos; i++) {
			expect(pieces[i].range_end >= pos);
			pieces[i].chunk_end = pos;
		}
		expect(i == nr_pieces || pieces[i].pos == pos);
	}
	expect(pos == npages_all);
	expect(nchunks == dma_buf_list_nchunks(list));
}

static void check_ranges(const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_chunk range;
	unsigned long n = 0;
	u64 pos = 0;

	cursor_init(&cursor, list);
	for (; (range = cursor_range(&cursor)).npages; n++) {
		const struct piece *piece = piece_at(pos);

		expect(!range.page);
		expect(range.dma_addr == piece->dma && pos == piece->pos);
		pos += range.npages;
		expect(pos == piece->range_end);
	}
	expect(pos == npages_all);
	expect(n == nr_ranges && n <= dma_buf_list_nchunks(list));
}

static void check_pages(const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	dma_addr_t addr, *addrs;
	u64 pos;

	expect(dma_buf_list_copy_addrs(list, NULL, npages_all + 1) == -EINVAL);
	if (npages_all > MAX_PAGES)
		return;

	addrs = malloc(npages_all * sizeof(*addrs) + 1);
	expect(!dma_buf_list_copy_addrs(list, addrs, npages_all));
	cursor_init(&cursor, list);
	for (pos = 0; cursor_page(&cursor, &addr); pos++) {
		expect(pos < npages_all);
		expect(addr == dma_at(pos));
		expect(addr == addrs[pos]);
	}
	expect(pos == npages_all);
	free(addrs);
}

/* Is there no border between ranges within a block? */
static bool block_fits(u64 size)
{
	unsigned int i;

	for (i = 1; i < nr_pieces; i++) {
		u64 before = piece_dma_end(&pieces[i - 1]);

		if (before != pieces[i].dma &&
		    (before | pieces[i].dma) & (size - 1))
			return false;
	}
	return true;
}

static void check_block_size(const struct dma_buf_list *list, u64 supported)
{
	u64 want = 0, size = dma_buf_list_block_size(list, supported);
	unsigned int bit;

	for (bit = 64; bit-- && !want; ) {
		if (supported & BIT(bit) && block_fits(BIT(bit)))
			want = BIT(bit);
	}
	expect(size == want, "%#llx and not %#llx", (unsigned long long)size,
	       (unsigned long long)want);
}

/**
 * struct reader - a cursor and where it has to be
 * @cursor: the cursor
 * @pos: next page
 * @end: where its window ends
 * @shown: it yields pages
 * @size: size of its blocks
 * @block: the next of them, if there is one left
 * @nr_blocks: number of those
 */
struct reader {
	struct dma_buf_cursor cursor;
	u64 pos;
	u64 end;
	bool shown;
	u64 size;
	u64 block;
	u64 nr_blocks;
};

static void step_page(struct reader *reader)
{
	dma_addr_t addr;

	if (!cursor_page(&reader->cursor, &addr)) {
		expect(reader->pos == reader->end);
		return;
	}
	expect(reader->pos < reader->end);
	expect(addr == dma_at(reader->pos));
	reader->pos++;
}

static void step_chunk(struct reader *reader)
{
	struct dma_buf_chunk chunk = dma_buf_cursor_next_chunk(&reader->cursor);
	const struct piece *piece;
	u64 end;

	if (!chunk.npages) {
		expect(reader->pos == reader->end);
		return;
	}
	expect(reader->pos < reader->end);
	check_chunk(&chunk);
	expect(chunk.dma_addr == dma_at(reader->pos));
	check_page(&chunk, reader->pos, reader->shown ? SHOWN : SHOWN_NOT);
	piece = piece_at(reader->pos);
	end = reader->shown ? piece_end(piece) : piece->chunk_end;
	reader->pos += chunk.npages;
	expect(reader->pos == min(reader->end, end));
}

static void expect_range(struct reader *reader, u64 addr)
{
	expect(reader->pos < reader->end);
	expect(addr == dma_at(reader->pos));
	reader->pos = min(reader->end, piece_at(reader->pos)->range_end);
}

static void step_range(struct reader *reader)
{
	struct dma_buf_chunk range = cursor_range(&reader->cursor);
	u64 pos = reader->pos;

	if (!range.npages) {
		expect(pos == reader->end);
		return;
	}
	expect(!range.page);
	expect_range(reader, range.dma_addr);
	expect(range.npages == reader->pos - pos);
}

static void step_block(struct reader *reader, u64 size)
{
	dma_addr_t addr;
	bool another;

	/* The size is the same at each step. */
	reader->size = reader->size ?: size;
	size = reader->size;
	another = cursor_block(&reader->cursor, size, &addr);
	if (!reader->nr_blocks) {
		u64 pos = reader->pos, first, last;

		expect(another == (pos != reader->end));
		if (!another)
			return;
		first = dma_at(pos);
		expect_range(reader, first);
		last = first + ((reader->pos - pos) << PAGE_SHIFT) - 1;
		reader->block = first & ~(size - 1);
		reader->nr_blocks = (last / size) - (first / size) + 1;
	}
	expect(another);
	expect(addr == reader->block);
	reader->block += size;
	reader->nr_blocks--;
}

/* A position in the list, at or near a border of something or beyond the end */
static u64 choose_pos(struct input *in)
{
	u8 how = input_byte(in), what = input_byte(in);
	u64 pos = 0;

	if (!nr_pieces)
		return how;
	if (how & 0x40)
		pos = npages_all;
	else if (how & 0x80)
		pos = what;
	else
		pos = pieces[(what * 16 + (how >> 4)) % nr_pieces].pos;
	return PICK(how, pos, pos + 1, pos + 2, pos + 3, pos + 4, pos + 5,
		    pos + 6, pos + 7, pos, pos - 1, pos - 2, pos - 3,
		    what * (npages_all / 256), npages_all / 2 + pos,
		    U64_MAX - what, pos + what * 16);
}

static void open_window(struct reader *reader, const struct dma_buf_list *list,
			u64 pos, u64 npages)
{
	memset(reader, 0xaa, sizeof(*reader));
	dma_buf_cursor_init_part(&reader->cursor, list, pos, npages);
	reader->pos = min(pos, npages_all);
	reader->end = reader->pos + min(npages, npages_all - reader->pos);
	reader->shown = false;
	reader->size = 0;
	reader->nr_blocks = 0;
}

static void grant_pages(struct reader *reader, const struct dma_buf_list *list)
{
	bool warn = hw.may_warn;

	hw.may_warn = true;
	reader->shown = dma_buf_cursor_grant_pages(&reader->cursor);
	hw.may_warn = warn;
	expect(reader->shown == buffer.granted);
	reader->shown = reader->shown && buffer.has_pages;
}

static void read_on(struct reader *reader, unsigned int what, u8 arg)
{
	unsigned int n;

	for (n = 0; n <= (arg & 7); n++) {
		if (what == 0)
			step_page(reader);
		else if (what == 1)
			step_chunk(reader);
		else if (what == 2)
			step_range(reader);
		else
			step_block(reader, BIT(arg >> 2));
	}
}

/* Windows, and all kinds of steps on one cursor, as the input says */
static void run_script(const struct dma_buf_list *list, struct input *in)
{
	struct reader reader;

	open_window(&reader, list, 0, U64_MAX);
	while (in->size) {
		u8 op = input_byte(in);

		if (op & 4) {
			u64 pos = choose_pos(in), to = choose_pos(in);

			open_window(&reader, list, pos,
				    op & 8 ? to : to - pos);
			if (op & 16)
				grant_pages(&reader, list);
			if (op & 32)
				check_block_size(list, pos << (to & 63));
		}
		read_on(&reader, op & 3, op >> 3 ^ input_byte(in));
	}
	/* What is left of the last one, as far as it is worth the time. */
	while (reader.pos != reader.end && nr_pieces < 512)
		step_chunk(&reader);
}

/* In how many parts a run that ends at @end is mapped */
static u64 count_parts(u64 npages, u64 end, u64 max)
{
	if (!npages || end - 1 <= hw.identity_to)
		return !!npages;
	return npages / max + !!(npages % max);
}

/* In how many runs the buffer is mapped, if the memmap has no holes */
static u64 count_runs(void)
{
	bool table = buffer.has_pages && hw.map_ops;
	u64 max = min(hw.max_mapping >> PAGE_SHIFT,
		      table ? UINT_MAX >> PAGE_SHIFT : SIZE_MAX);
	u64 nr_runs = 0, npages = 0, end = 0;
	unsigned long i;

	max = hw.attrs & DMA_ATTR_MMIO ? U64_MAX : max(max, 1UL);
	for (i = 0; i < nr_segments; i++) {
		if (!segments[i].phys || segments[i].phys != end) {
			nr_runs += count_parts(npages, end, max);
			npages = 0;
		}
		npages += segments[i].npages;
		end = segments[i].phys + PFN_PHYS(segments[i].npages);
	}
	return nr_runs + count_parts(npages, end, max);
}

/* An IOVA is asked for where it is of use and the parts fit its granule. */
static bool iova_is_of_use(u64 nr_runs)
{
	return nr_runs > 1 && !(hw.attrs & DMA_ATTR_CC_SHARED) &&
	       !(hw.iommu && hw.granule > PAGE_SIZE);
}

static void check_route(const struct dma_buf_list *list)
{
	u64 nr_runs = count_runs(), nchunks = dma_buf_list_nchunks(list);
	enum dma_buf_route route = DMA_BUF_ROUTE_PER_RUN;
	bool may_try_iova = false;

	if (!total_pages)
		route = DMA_BUF_ROUTE_NONE;
	else if (buffer.kind == KIND_BAR &&
		 buffer.attach.p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR)
		route = DMA_BUF_ROUTE_BUS_ADDR;
	else if (buffer.has_pages && hw.map_ops)
		route = DMA_BUF_ROUTE_MAP_SG;
	else
		may_try_iova = iova_is_of_use(nr_runs);
	if (model_iova_exists())
		route = DMA_BUF_ROUTE_IOVA;

	expect(hw.iova_tried == may_try_iova);
	expect(dma_buf_list_route(list) == route);
	expect(dma_buf_list_is_peer(list) == (buffer.kind == KIND_BAR));
	if (route == DMA_BUF_ROUTE_IOVA)
		expect(nchunks == 1);
	else if (shim.sections && buffer.has_pages)
		expect(nchunks >= nr_runs || route == DMA_BUF_ROUTE_MAP_SG);
	else if (route != DMA_BUF_ROUTE_MAP_SG)
		expect(nchunks == nr_runs);
}

void check_list(const struct dma_buf_list *list, enum shown shown,
		const struct input *script)
{
	struct input in = *script;

	check_route(list);
	if (!read_pieces(list, shown))
		return;
	find_ranges();
	check_chunks(list);
	check_ranges(list);
	check_pages(list);
	check_block_size(list, U64_MAX);
	check_block_size(list, 0);
	run_script(list, &in);
}

/* What needs syncing is synced once, each page in order. */
void check_sync(const struct dma_buf_list *list)
{
	enum dma_buf_route route = dma_buf_list_route(list);
	bool skip = buffer.kind == KIND_BAR || hw.attrs & DMA_ATTR_MMIO ||
		    (route == DMA_BUF_ROUTE_IOVA && !shim.sync);
	bool table = route == DMA_BUF_ROUTE_MAP_SG;
	int i;

	for (i = 0; i < 4; i++) {
		hw.synced = 0;
		hw.sg_syncs = 0;
		hw.sync_dir = i < 2 ? hw.dir : DMA_FROM_DEVICE;
		if (i & 1)
			dma_buf_list_sync_for_device(list, hw.sync_dir);
		else
			dma_buf_list_sync_for_cpu(list, hw.sync_dir);
		expect(hw.synced == (skip || table ? 0 : total_pages));
		expect(hw.sg_syncs == (!skip && table));
	}
}
