// SPDX-License-Identifier: GPL-2.0-only
/*
 * One input: a buffer, the hardware, what fails, and how the list is read
 *
 * All of it is made up from the bytes of the input, which start with a header of
 * fixed size, so that a mutation of one thing leaves the others alone.
 */
#include "fuzz.h"

struct buffer buffer;
struct segment segments[MAX_RUNS], runs[MAX_RUNS];
unsigned long nr_segments, nr_runs;
u64 total_pages;

/* What can be wrong with the arguments of the builder */
enum {
	BAD_NOTHING,
	BAD_DEVICE,
	BAD_DIRECTION,
	BAD_POINTER,
	BAD_NO_PEER,
	BAD_NO_PROVIDER,
	BAD_OTHER_PROVIDER,
	BAD_ENTRY,		/* an entry of a table has no page */
	BAD_NR
};

struct header {
	u8 kind;
	u8 nr_runs;
	u8 repeat;
	u8 hw;
	u8 config;
	u8 flags;
	u8 bad;
	u8 attrs;
	u8 dir;
	u8 mask;
	u8 max_mapping;
	u8 dma_offset[2];
	u8 bus_offset[2];
	u8 bounce;
	u8 gap;
	u8 sg_merge;
	u8 max_seg;
	u8 boundary;
	u8 section;
	u8 fail_at;
	u8 fail_shift;
	u8 misalign;
	u8 alloc_fail_at;
	u8 alloc_fail_later;
	u8 signal_at;
	u8 bounce_from;
};

/* Most calls have to succeed, or nothing else would be seen. */
static unsigned int when(u8 byte, u8 shift)
{
	return byte & 3 ? 0 : (byte >> 2) << (shift & 7);
}

static u64 get_u16(const u8 *bytes)
{
	return bytes[0] | bytes[1] << 8;
}

/* The one of @nr that page @pos of the buffer lies in, most likely that at @hint */
static const struct segment *find(const struct segment *all, unsigned long nr,
				  unsigned long *hint, u64 pos)
{
	unsigned long low = 0, high = nr;

	expect(pos < total_pages);
	if (*hint < nr && pos - all[*hint].pos < all[*hint].npages)
		return &all[*hint];
	while (high - low > 1) {
		unsigned long mid = (low + high) / 2;

		if (all[mid].pos <= pos)
			low = mid;
		else
			high = mid;
	}
	*hint = low;
	return &all[low];
}

/* The memory that page @pos of the buffer is, and for how long it goes on there */
u64 segment_at(u64 pos, u64 *npages)
{
	static unsigned long hint;
	const struct segment *segment = find(segments, nr_segments, &hint, pos);

	*npages = segment->npages - (pos - segment->pos);
	return segment->phys + PFN_PHYS(pos - segment->pos);
}

/* How much of it one call maps: as much as goes, or one half if there are holes. */
u64 part_at(u64 pos)
{
	static unsigned long hint;
	const struct segment *run = find(runs, nr_runs, &hint, pos);
	u64 n = min(run->npages - (pos - run->pos), model_max_pages());
	u64 pfn = PHYS_PFN(run->phys) + (pos - run->pos);

	while (buffer.has_pages && n > 1 &&
	       !page_range_contiguous(pfn_to_page(pfn), n))
		n /= 2;
	return n;
}

/* One run of a buffer, from four bytes */
static struct phys_vec decode_run(struct input *in, struct phys_vec last)
{
	u8 where = input_byte(in), at = input_byte(in);
	u8 size = input_byte(in), n = input_byte(in);
	u64 next = last.paddr + last.len, more = n + 1;

	u64 len = PICK(size, PFN_PHYS(more), PFN_PHYS(more), PFN_PHYS(more),
		       PFN_PHYS(more), PFN_PHYS(more), PFN_PHYS(more),
		       PFN_PHYS(more), PFN_PHYS(1UL), PFN_PHYS(4092UL + (n & 7)),
		       PFN_PHYS((BIT(32 - PAGE_SHIFT) - 4 + (n & 7))),
		       PFN_PHYS(BIT_ULL(n % 41)), BIT_ULL(52) + PFN_PHYS(n),
		       BIT_ULL(52 + n % 12) - PFN_PHYS(n >> 6), 0,
		       PFN_PHYS(size >> 4) + n * 16 + 1,
		       SIZE_MAX - n * (size >> 4) * 64);

	if (len > SIZE_MAX)
		len = PICK(n, SIZE_MAX & PAGE_MASK, BIT(31), BIT(30),
			   (SIZE_MAX & PAGE_MASK) - PFN_PHYS(n));

	return (struct phys_vec) {
		.paddr = PICK(where, next, next, next, next, PFN_PHYS(at),
			      PFN_PHYS(at << 8 | where >> 4), last.paddr,
			      next + PFN_PHYS(at), next + PFN_PHYS(at),
			      PFN_PHYS(RAM_END - at), PFN_PHYS(GENERIC_END - at),
			      PFN_PHYS(BAR_START + at * 256),
			      PFN_PHYS(-1UL - at),
			      PFN_PHYS((at & 15UL) << shim.section_shift) -
			      PFN_PHYS(at >> 4),
			      PFN_PHYS(at) + (where >> 4) * 512,
			      PFN_PHYS(P2P_END - at)),
		.len = len,
	};
}

/* All runs, some of them over and over. */
static unsigned long decode_runs(struct input *in, const struct header *head,
				 struct phys_vec *vecs)
{
	unsigned long pattern = head->nr_runs % 64, i, nr;
	const u8 *data = in->data;
	size_t size = in->size;
	struct phys_vec last = { };

	nr = pattern * PICK(head->repeat, 1, 1, 1, 1, 2, 3, 8, 20, MAX_RUNS);
	nr = min(nr, MAX_RUNS);
	for (i = 0; i < nr; i++) {
		if (i % pattern == 0)
			*in = (struct input) { data, size };
		last = decode_run(in, last);
		vecs[i] = last;
	}
	return nr;
}

/* A size that a table can have, and on 32 bit an address that a page can have */
static void limit_table(struct phys_vec *vecs, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		vecs[i].len = min(vecs[i].len, (size_t)UINT_MAX & PAGE_MASK);
		if (BITS_PER_LONG == 32)
			vecs[i].paddr %= PFN_PHYS(P2P_END);
	}
}

static bool is_system_run(const struct phys_vec *vec)
{
	u64 last = vec->paddr + (vec->len - 1);

	return model_system_pfn(PHYS_PFN(vec->paddr)) &&
	       model_system_pfn(PHYS_PFN(last));
}

/*
 * What the builder has to say of the ranges, from their description in English.
 * Returns what is wrong with them as a bitmap, since it may be both.
 */
static unsigned int judge_runs(const struct phys_vec *vecs, unsigned long nr)
{
	enum { INVALID = 1, OVERFLOW = 2 };
	unsigned int verdict = 0;
	unsigned long i;
	u64 sum = 0;

	for (i = 0; i < nr; i++) {
		bool partial = i == nr - 1 && buffer.kind != KIND_BAR;
		u64 len = vecs[i].len;

		if (!len || vecs[i].paddr % PAGE_SIZE ||
		    (len % PAGE_SIZE && !partial))
			verdict |= INVALID;
		/* Nothing is longer than this, so the sum has no carry. */
		if (vecs[i].paddr + len - 1 < vecs[i].paddr ||
		    len > (size_t)-PAGE_SIZE)
			verdict |= OVERFLOW;
		sum += len / PAGE_SIZE + !!(len % PAGE_SIZE);
	}
	if (sum > U64_MAX / PAGE_SIZE / 2 || sum > SIZE_MAX / PAGE_SIZE)
		verdict |= OVERFLOW;
	if (verdict & INVALID)
		model_must_fail(EINVAL);
	if (verdict & OVERFLOW)
		model_must_fail(EOVERFLOW);
	total_pages = verdict ? 0 : sum;
	return verdict;
}

/* Neighbours are one run, but the last address and the first are none. */
static void make_runs(void)
{
	unsigned long i;

	nr_runs = 0;
	for (i = 0; i < nr_segments; i++) {
		const struct segment *next = &segments[i];
		struct segment *run = nr_runs ? &runs[nr_runs - 1] : NULL;

		if (run && next->phys &&
		    next->phys == run->phys + PFN_PHYS(run->npages) &&
		    next->npages <= RUN_MAX - run->npages)
			run->npages += next->npages;
		else
			runs[nr_runs++] = *next;
	}
}

static void make_segments(const struct phys_vec *vecs, unsigned long nr)
{
	unsigned long i, n = 0;
	u64 pos = 0;

	for (i = 0; i < nr; i++) {
		segments[n].phys = vecs[i].paddr;
		segments[n].npages = PFN_UP((u64)vecs[i].len);
		segments[n].pos = pos;
		pos += segments[n].npages;
		n += !!segments[n].npages;
	}
	nr_segments = n;
	make_runs();
}

static void make_pages(struct phys_vec *vecs, unsigned long nr)
{
	unsigned long i, n, room = MAX_PAGES;

	buffer.nr = 0;
	for (i = 0; i < nr; i++) {
		/* There is no array of pages that are not there. */
		vecs[i].paddr = (vecs[i].paddr & PAGE_MASK) % PFN_PHYS(P2P_END);
		vecs[i].len = min((u64)vecs[i].len & PAGE_MASK, PFN_PHYS(room));
		vecs[i].len = min((u64)vecs[i].len,
				  PFN_PHYS(P2P_END) - vecs[i].paddr);
		room -= PHYS_PFN(vecs[i].len);
	}
	buffer.pages = malloc((MAX_PAGES - room) * sizeof(*buffer.pages));
	for (i = 0; i < nr; i++) {
		for (n = 0; n < PHYS_PFN(vecs[i].len); n++)
			buffer.pages[buffer.nr++] =
				pfn_to_page(PHYS_PFN(vecs[i].paddr) + n);
	}
	total_pages = buffer.nr;
}

static void make_table(const struct phys_vec *vecs, unsigned long nr)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!nr || sg_alloc_table(&buffer.table, nr, GFP_KERNEL))
		return;
	for_each_sgtable_sg(&buffer.table, sg, i) {
		sg->page = phys_to_page(vecs[i].paddr);
		sg->offset = vecs[i].paddr & ~PAGE_MASK;
		sg->length = vecs[i].len;
		/* As it is mapped for another device */
		sg->dma_address = PAGE_SIZE / 2;
		sg->dma_length = 1;
	}
	buffer.table.nents = 1;
}

static void setup_hardware(const struct header *head)
{
	shim = (struct shim_config) {
		.sections = head->config & 1,
		.one_length = head->config & 4,
		.section_shift = 7 + head->section % 8,
	};
	hw = (struct model) {
		.dev = {
			.max_seg_size = PICK(head->max_seg, 65536, UINT_MAX,
					     4096, 512, 20480, BIT(30)),
			.seg_boundary = PICK(head->boundary, ULONG_MAX, UINT_MAX,
					     65535, 4095, BIT(24) - 1),
		},
		.iommu = head->hw & 1,
		.phys = head->config & 128,
		.map_ops = head->hw & 2,
		.coherent = !(head->config & 2),
		.need_sync = head->config & 0x12,
		.need_unmap = head->hw & 7 || head->config & 2,
		.granule = head->hw & 8 ? PAGE_SIZE * 16 :
			   head->config & 64 ? 4096 : PAGE_SIZE,
		.bounce = head->hw & 16 ? head->bounce : 0,
		.bounce_from = head->bounce_from * 8,
		.mask = PICK(head->mask, U64_MAX, U64_MAX, BIT_ULL(57) - 1,
			     BIT_ULL(40) - 1, UINT_MAX, BIT_ULL(63) - 1,
			     BIT_ULL(62) - 1),
		.max_mapping = PICK(head->max_mapping, SIZE_MAX, SIZE_MAX, 262144,
				    PAGE_SIZE, 0, 100, PAGE_SIZE * 3 - 1,
				    SIZE_MAX / 2 + 1, BIT(30)),
		.max_run = head->config & 8 ? 1 : RUN_MAX,
		.dma_offset = get_u16(head->dma_offset) <<
			      PICK(head->hw >> 5, PAGE_SHIFT, 20, 32, 44, 48),
		.gap = PICK(head->gap, 0, PAGE_SIZE, PAGE_SIZE * 16, BIT_ULL(32)),
		.sg_merge = PICK(head->sg_merge, 0, UINT_MAX & PAGE_MASK,
				 PAGE_SIZE * 2, PAGE_SIZE * 16, BIT(22)),
		.sg_error = head->config & 32 ? EIO : EINVAL,
		.fail_at = when(head->fail_at, head->fail_shift),
		.misalign = when(head->misalign, 0),
		.sync_fails = (head->flags & 0x30) == 0x30,
		.signal_at = when(head->signal_at, 0),
		.dir = head->dir % 3,
		.attrs = PICK(head->attrs, 0, DMA_ATTR_SKIP_CPU_SYNC,
			      DMA_ATTR_CC_SHARED, DMA_ATTR_WRITE_COMBINE, 0,
			      DMA_ATTR_NO_BOUNCE | DMA_ATTR_SKIP_CPU_SYNC,
			      DMA_ATTR_NO_BOUNCE),
	};
	hw.sync.dir = hw.dir;
	/* An architecture with one length for both merges nothing. */
	if (shim.one_length)
		hw.sg_merge = 0;
	if (head->flags & 64 && !hw.iommu && !hw.map_ops) {
		hw.identity = true;
		hw.mask = head->gap & 1 ? PFN_PHYS(GENERIC_END) - 1 : U64_MAX;
		hw.dma_offset = 0;
		hw.bounce = 0;
	}
	model_reset();
}

/* Keeps what has to be cut to a number of parts that is worth the time. */
static void limit_parts(void)
{
	u64 max = max((u64)hw.max_mapping >> PAGE_SHIFT, 1ULL);

	if (total_pages > max * MAX_RUNS)
		hw.max_mapping = min(PFN_PHYS(total_pages / MAX_RUNS + 1),
				     (u64)SIZE_MAX);
	if (total_pages > MAX_PAGES)
		hw.max_run = RUN_MAX;
	/* Mapping by dma_map_ops and syncing take an entry of a table for each 4 GiB. */
	if (total_pages > BIT_ULL(43) >> PAGE_SHIFT) {
		hw.map_ops = false;
		hw.coherent = true;
	}
	while (total_pages >> shim.section_shift > 128)
		shim.section_shift++;
}

/* What the engine has to refuse although it is described well */
static void judge_memory(const struct phys_vec *vecs, unsigned long nr)
{
	bool bus = buffer.kind == KIND_BAR &&
		   buffer.attach.p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR;
	bool reached = true;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		u64 last = vecs[i].paddr + vecs[i].len - 1 + hw.dma_offset;

		if (last > hw.mask)
			reached = false;
		if (buffer.has_pages && vecs[i].len && !is_system_run(&vecs[i]))
			model_must_fail(EINVAL);
	}
	/* The addresses end before a run does, or in it. */
	for (i = 0; bus && i < nr_runs; i++) {
		u64 start = runs[i].phys + buffer.provider.bus_offset;
		u64 last = start + PFN_PHYS(runs[i].npages) - 1;

		if (last < start || last > hw.mask)
			model_refuse(EREMOTEIO);
	}

	if (model_wants_iova() && total_pages > IOVA_MAX)
		model_must_fail(ENOMEM);

	buffer.note = DMA_BUF_P2P_BOUNCE;
	if (hw.attrs & DMA_ATTR_MMIO && hw.map_ops && !bus)
		buffer.note = DMA_BUF_P2P_MAP_OPS;
	else if (hw.attrs & DMA_ATTR_MMIO && (bus || !reached))
		buffer.note = DMA_BUF_P2P_DMA_MASK;
}

static void setup_buffer(const struct header *head, struct input *in)
{
	static struct phys_vec vecs[MAX_RUNS];
	enum kind kind = head->kind % KIND_NR;
	unsigned long nr = decode_runs(in, head, vecs);
	bool table = kind == KIND_SGT || kind == KIND_COHERENT;
	unsigned int verdict = 0;
	static const struct dma_buf_attach_ops phys_ops = { .phys_only = true };

	buffer = (struct buffer) {
		.kind = kind,
		.nr = nr,
		.dmabuf.resv = &buffer.resv,
		.dmabuf.ops = &buffer.ops,
		.resv.held = true,
		.ops.sync_mappings = head->flags & 8,
		.attach = {
			.dmabuf = head->flags & 128 && kind != KIND_BAR ?
				  NULL : &buffer.dmabuf,
			.dev = &hw.dev,
			.wants_runs = head->flags & 4,
			.importer_ops = hw.phys ? &phys_ops : NULL,
			.peer2peer = true,
			.p2p.owner = hw.phys ? NULL : &hw.owner,
			.p2p.map_type = hw.phys ? PCI_P2PDMA_MAP_NOT_SUPPORTED :
					head->flags & 1 ?
					PCI_P2PDMA_MAP_BUS_ADDR :
					PCI_P2PDMA_MAP_THRU_HOST_BRIDGE,
		},
		.provider = {
			.owner = &hw.owner,
			.bus_offset = PFN_PHYS(get_u16(head->bus_offset)) <<
				      head->bus_offset[0] % 40,
		},
	};

	if (table)
		limit_table(vecs, nr);
	if (kind == KIND_PAGES)
		make_pages(vecs, nr);
	else
		verdict = judge_runs(vecs, nr);
	/* In a place of its own, that ends where the buffer does. */
	buffer.vecs = malloc(nr * sizeof(*vecs));
	memcpy(buffer.vecs, vecs, nr * sizeof(*vecs));

	buffer.has_pages = kind == KIND_PAGES || kind == KIND_RUNS || kind == KIND_SGT;
	if (kind == KIND_COHERENT && nr)
		buffer.has_pages = model_system_pfn(PHYS_PFN(vecs[0].paddr));
	if (kind == KIND_COHERENT)
		hw.attrs = DMA_ATTR_SKIP_CPU_SYNC | DMA_ATTR_NO_BOUNCE;
	else if (kind == KIND_BAR || kind == KIND_PHYS)
		hw.attrs |= DMA_ATTR_MMIO;

	limit_parts();
	if (kind == KIND_SGT)
		make_table(vecs, nr);
	make_segments(vecs, nr);
	if (!verdict)
		judge_memory(vecs, nr);
	/* From here on allocations are not of the harness. */
	hw.allocs = 0;
	hw.alloc_fail_at = when(head->alloc_fail_at, 0);
}

static void spoil(unsigned int bad, enum dma_data_direction *dir,
		  struct p2pdma_provider **provider)
{
	bool bar = buffer.kind == KIND_BAR;

	switch (bad) {
	case BAD_DEVICE:
		buffer.attach.dev = NULL;
		hw.may_warn = true;
		return model_must_fail(EINVAL);
	case BAD_DIRECTION:
		*dir = DMA_NONE;
		hw.may_warn = true;
		return model_must_fail(EINVAL);
	case BAD_POINTER:
		if (!buffer.nr || buffer.kind == KIND_COHERENT)
			return;
		free(buffer.vecs);
		free(buffer.pages);
		buffer.vecs = NULL;
		buffer.pages = NULL;
		sg_free_table(&buffer.table);
		return model_must_fail(EINVAL);
	case BAD_NO_PEER:
		if (!bar)
			return;
		buffer.attach.peer2peer = false;
		memset(hw.errors, 0, sizeof(hw.errors));
		hw.refused = 0;
		return model_must_fail(EREMOTEIO);
	case BAD_NO_PROVIDER:
		if (!bar)
			return;
		*provider = NULL;
		if (hw.phys)
			return;
		hw.may_warn = true;
		return model_must_fail(EINVAL);
	case BAD_OTHER_PROVIDER:
		if (!bar)
			return;
		buffer.provider.owner = &hw.dev;
		if (hw.phys)
			return;
		hw.may_warn = true;
		return model_must_fail(EINVAL);
	case BAD_ENTRY:
		if (!buffer.table.sgl)
			return;
		buffer.table.sgl[buffer.nr / 2].page = NULL;
		return model_must_fail(EINVAL);
	}
}

static struct dma_buf_list *build(unsigned int bad, unsigned long attrs)
{
	struct dma_buf_attachment *attach = &buffer.attach;
	struct p2pdma_provider *provider = &buffer.provider;
	enum dma_data_direction dir = hw.dir;

	spoil(bad, &dir, &provider);
	switch (buffer.kind) {
	case KIND_PAGES:
		return dma_buf_list_from_pages(attach, buffer.pages, buffer.nr,
					       dir, attrs);
	case KIND_RUNS:
		return dma_buf_list_from_runs(attach, buffer.vecs, buffer.nr, dir,
					      attrs);
	case KIND_SGT:
		return dma_buf_list_from_sgt(attach, &buffer.table, dir, attrs);
	case KIND_PHYS:
		return dma_buf_list_from_phys(attach, buffer.vecs, buffer.nr, dir,
					      attrs & ~DMA_ATTR_MMIO);
	case KIND_BAR:
		return dma_buf_list_from_bar(attach, provider, buffer.vecs,
					     buffer.nr, dir,
					     attrs & ~DMA_ATTR_MMIO);
	default:
		return dma_buf_list_from_coherent(attach, &hw.owner, NULL, 0,
						  total_pages << PAGE_SHIFT, dir,
						  DMA_ATTR_WRITE_COMBINE);
	}
}

static bool is_expected(int error)
{
	bool too_long = hw.iommu && total_pages > IOVA_MAX;

	/* Where bouncing is possible it was tried, but for lack of memory. */
	if (hw.refused == error && !hw.again && (too_long || !model_may_bounce()))
		return true;
	return error > 0 && error < 192 &&
	       hw.errors[error / 64] & BIT_ULL(error % 64);
}

static void judge_error(int error)
{
	expect(is_expected(error), "error %d", error);
	expect(buffer.notes == ((error == EREMOTEIO || hw.refused_again) &&
				buffer.attach.dmabuf && buffer.attach.peer2peer));
}

static void use_list(struct dma_buf_list *list, const struct header *head,
		     const struct input *script)
{
	hw.alloc_fail_at = head->alloc_fail_later ?
			   hw.allocs + head->alloc_fail_later : 0;
	check_list(list, script);
	check_sync(list);
}

static void run(const struct header *head, struct input *in)
{
	struct dma_buf_list *list;
	unsigned int before;

	setup_hardware(head);
	setup_buffer(head, in);
	if (buffer.kind == KIND_COHERENT && !buffer.nr)
		goto out;

	before = hw.allocated - !!buffer.table.sgl;
	list = build(head->bad % (4 * BAD_NR), hw.attrs);
	if (IS_ERR(list)) {
		judge_error(-PTR_ERR(list));
	} else {
		expect(list);
		hw.listed = true;
		expect(!hw.must_fail && !buffer.notes && !hw.refused == !hw.again);
		check_caches(false);
		use_list(list, head, in);
		dma_buf_list_free(list);
		check_caches(true);
	}
	model_expect_clean();
	expect_allocated(before + !!buffer.table.sgl);
out:
	sg_free_table(&buffer.table);
	free(buffer.pages);
	free(buffer.vecs);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct header head = { };

	in.data += min(size, sizeof(head));
	in.size -= min(size, sizeof(head));
	memcpy(&head, data, min(size, sizeof(head)));
	run(&head, &in);
	return 0;
}
