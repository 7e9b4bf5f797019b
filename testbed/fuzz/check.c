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
 * @npages: length
 * @range_end: where the range ends
 */
struct piece {
	u64 pos;
	u64 dma;
	u64 npages;
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

u64 dma_at(u64 pos)
{
	const struct piece *piece = piece_at(pos);

	return piece->dma + ((pos - piece->pos) << PAGE_SHIFT);
}

u64 range_end_at(u64 pos)
{
	return piece_at(pos)->range_end;
}

/* Every page of @chunk, which starts at @pos, reaches the memory that it should. */
static void check_reached(const struct dma_buf_list *list,
			  const struct dma_buf_chunk *chunk, u64 pos)
{
	bool for_bus = list->route == DMA_BUF_ROUTE_BUS_ADDR;
	u64 done, mapped, wanted, left;

	for (done = 0; done < chunk->npages; done += min(left, wanted)) {
		u64 addr = chunk->dma_addr + (done << PAGE_SHIFT);
		u64 phys = segment_at(pos + done, &wanted);

		expect(model_reached(addr, &mapped, for_bus) == phys,
		       "page %llu of the buffer", (unsigned long long)pos + done);
		left = min(mapped, chunk->npages - done);
	}
}

/* What the DMA addresses have to tell besides, or have not */
static void check_phys(const struct dma_buf_list *list)
{
	bool linear = list->route == DMA_BUF_ROUTE_BUS_ADDR || hw.skipped ||
		      hw.phys ||
		      (list->route == DMA_BUF_ROUTE_PER_RUN && hw.linear);
	bool kept = linear || model_keeps_phys(list->route);

	if (!total_pages)
		return;
	expect(dma_buf_list_shares_words(list) == linear);
	expect(!list->phys == !kept);
	expect(!list->phys_blocks || !linear);
	expect(list->has_pages == (kept && buffer.has_pages));
}

static void check_page(const struct dma_buf_list *list,
		       const struct dma_buf_chunk *chunk, u64 pos)
{
	u64 phys, n, done;

	expect(!chunk->page == !list->has_pages);
	/* What is mapped by one call is one chunk. */
	if (list->phys && !list->peer && list->route != DMA_BUF_ROUTE_MAP_SG)
		expect(chunk->npages == part_at(pos));
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

	expect(chunk->npages);
	expect(IS_ALIGNED(chunk->dma_addr, PAGE_SIZE));
	expect(chunk->dma_addr + bytes - 1 >= chunk->dma_addr);
}

/* The first pass, returns false if this is more than it has room for. */
static bool read_pieces(const struct dma_buf_list *list)
{
	struct dma_buf_pairs pairs;
	struct dma_buf_chunk chunk;

	nr_pieces = 0;
	npages_all = 0;
	dma_buf_list_for_each_pair(chunk, &pairs, list) {
		if (nr_pieces == MAX_MAPS)
			return false;
		check_chunk(&chunk);
		expect(chunk.npages <= total_pages - npages_all);
		check_reached(list, &chunk, npages_all);
		check_page(list, &chunk, npages_all);
		pieces[nr_pieces++] = (struct piece) {
			.pos = npages_all,
			.dma = chunk.dma_addr,
			.npages = chunk.npages,
		};
		npages_all += chunk.npages;
	}
	expect(npages_all == total_pages);
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

	supported = (unsigned long)supported;
	for (bit = BITS_PER_LONG; bit-- && !want; ) {
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
 * @size: size of its blocks
 * @block: the next of them, if there is one left
 * @nr_blocks: number of those
 */
struct reader {
	struct dma_buf_cursor cursor;
	u64 pos;
	u64 end;
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
u64 choose_pos(struct input *in)
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
	reader->size = 0;
	reader->nr_blocks = 0;
}

static void read_on(struct reader *reader, unsigned int what, u8 arg)
{
	unsigned int n;

	for (n = 0; n <= (arg & 7); n++) {
		if (what < 2)
			step_page(reader);
		else if (what == 2)
			step_range(reader);
		else
			step_block(reader, BIT((arg >> 2) % BITS_PER_LONG));
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
			if (op & 32)
				check_block_size(list, pos << (to & 63));
		}
		read_on(&reader, op & 3, op >> 3 ^ input_byte(in));
	}
	/* What is left of the last one, as far as it is worth the time. */
	while (reader.pos != reader.end && nr_pieces < 512)
		step_range(&reader);
}

/* How many chunks there are */
static u64 count_chunks(enum dma_buf_route route)
{
	u64 pos, nr = 0;

	switch (route) {
	case DMA_BUF_ROUTE_IOVA:
		return 1;
	case DMA_BUF_ROUTE_MAP_SG:
		return model_table_nents();
	default:
		for (pos = 0; pos < total_pages; pos += part_at(pos))
			nr++;
		return nr;
	}
}

static void check_route(const struct dma_buf_list *list)
{
	enum dma_buf_route route = DMA_BUF_ROUTE_PER_RUN;

	if (!total_pages)
		route = DMA_BUF_ROUTE_NONE;
	else if (hw.phys)
		route = DMA_BUF_ROUTE_PHYS;
	else if (buffer.kind == KIND_BAR &&
		 buffer.attach.p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR)
		route = DMA_BUF_ROUTE_BUS_ADDR;
	else if (buffer.has_pages && hw.map_ops)
		route = DMA_BUF_ROUTE_MAP_SG;
	else if (model_wants_iova())
		route = DMA_BUF_ROUTE_IOVA;

	expect(list->route == route, "%d and not %d", list->route, route);
	expect(list->attrs == model_attrs() && list->dir == hw.dir);
	expect(list->bounced == hw.again);
	expect(list->attach == (buffer.attach.dmabuf ? &buffer.attach : NULL));
	expect(dma_buf_list_is_peer(list) == (buffer.kind == KIND_BAR));
	expect(dma_buf_list_npages(list) == total_pages);
	expect(dma_buf_list_nchunks(list) == count_chunks(route));
	if (route == DMA_BUF_ROUTE_PER_RUN)
		expect(hw.skipped || hw.done == total_pages);
}

void check_list(const struct dma_buf_list *list, const struct input *script)
{
	struct input in = *script;

	check_route(list);
	check_phys(list);
	check_domain(list, *script);
	if (list->route == DMA_BUF_ROUTE_PHYS)
		return check_no_addresses(list);
	if (!read_pieces(list))
		return;
	find_ranges();
	check_ranges(list);
	check_pages(list);
	check_block_size(list, U64_MAX);
	check_block_size(list, 0);
	run_script(list, &in);
	check_importer(list, *script);
}

/* Where nothing is called but for the caches, these are managed all the same. */
void check_caches(bool for_cpu)
{
	bool needs = hw.skipped && !hw.coherent &&
		     !(model_attrs() & (DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_MMIO));

	if (hw.skipped) {
		expect(hw.sync.npages == (needs ? total_pages : 0));
		expect(!hw.sync.npages || hw.sync.for_cpu == for_cpu);
	}
	memset(&hw.sync, 0, sizeof(hw.sync));
	hw.sync.dir = hw.dir;
	hw.unpaused = 0;
}

/* What needs syncing is synced once, each page in order. */
void check_sync(const struct dma_buf_list *list)
{
	bool table = list->route == DMA_BUF_ROUTE_MAP_SG;
	bool needs = table ? hw.need_sync : list->bounced || !hw.coherent;
	bool skip = list->attrs & DMA_ATTR_MMIO || !needs || hw.phys;
	int i;

	/* Or a CPU access would not look. */
	if (buffer.attach.dmabuf && buffer.ops.sync_mappings && !skip)
		expect(buffer.attach.dmabuf->needs_sync);

	/* Nobody syncs it otherwise. */
	if (buffer.attach.dmabuf ? !buffer.ops.sync_mappings :
				   hw.attrs & DMA_ATTR_SKIP_CPU_SYNC)
		return;

	for (i = 0; i < 4; i++) {
		enum dma_data_direction dir = i < 2 ? hw.dir : DMA_FROM_DEVICE;

		memset(&hw.sync, 0, sizeof(hw.sync));
		/* All of a bounce buffer is copied for the device later. */
		hw.sync.dir = i & 1 && list->bounced ? hw.dir : dir;
		hw.unpaused = 0;
		dma_buf_list_sync(list, dir, i & 1);
		expect(hw.sync.npages == (skip || table ? 0 : total_pages));
		expect(hw.sync.tables == (!skip && table && total_pages));
		expect(skip || !total_pages || hw.sync.for_cpu == (i & 1));
	}
	memset(&hw.sync, 0, sizeof(hw.sync));
	hw.sync.dir = hw.dir;
	hw.unpaused = 0;
}
