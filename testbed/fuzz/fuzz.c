// SPDX-License-Identifier: GPL-2.0-only
/*
 * One input: a buffer, the hardware, what fails, and how the list is read
 *
 * All of it is made up from the bytes of the input, which start with a header of
 * fixed size, so that a mutation of one thing leaves the others alone.
 */
#include "fuzz.h"

struct buffer buffer;
struct segment segments[MAX_RUNS];
unsigned long nr_segments;
u64 total_pages;

static u64 segment_pos[MAX_RUNS + 1];
static unsigned long segment_hint;

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

/* The memory that page @pos of the buffer is, and for how long it goes on there */
u64 segment_at(u64 pos, u64 *npages)
{
	unsigned long low = 0, high = nr_segments;

	expect(pos < total_pages);
	if (segment_hint < nr_segments && pos >= segment_pos[segment_hint] &&
	    pos < segment_pos[segment_hint + 1]) {
		low = segment_hint;
		high = low + 1;
	}
	while (high - low > 1) {
		unsigned long mid = (low + high) / 2;

		if (segment_pos[mid] <= pos)
			low = mid;
		else
			high = mid;
	}
	segment_hint = low;
	*npages = segment_pos[low + 1] - pos;
	return segments[low].phys + PFN_PHYS(pos - segment_pos[low]);
}

/* One run of a buffer, from four bytes */
static struct phys_vec decode_run(struct input *in, struct phys_vec last)
{
	u8 where = input_byte(in), at = input_byte(in);
	u8 size = input_byte(in), n = input_byte(in);
	u64 next = last.paddr + last.len, more = n + 1;

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
		.len = PICK(size, PFN_PHYS(more), PFN_PHYS(more), PFN_PHYS(more),
			    PFN_PHYS(more), PFN_PHYS(more), PFN_PHYS(more),
			    PFN_PHYS(more), PFN_PHYS(1UL),
			    PFN_PHYS(4092UL + (n & 7)),
			    PFN_PHYS(BIT(20) - 4 + (n & 7)), PFN_PHYS(BIT(n % 41)),
			    PFN_PHYS(BIT(40) + n),
			    PFN_PHYS(BIT(40 + n % 12) - (n >> 6)), 0,
			    PFN_PHYS(size >> 4) + n * 16 + 1,
			    -1UL - n * (size >> 4) * 64),
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

/* A size that a table or a page array can have */
static void limit_runs(struct phys_vec *vecs, unsigned long nr, u64 max)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		vecs[i].len = min(vecs[i].len, max);
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
	unsigned __int128 sum = 0;
	unsigned int verdict = 0;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		bool partial = i == nr - 1 && buffer.kind != KIND_BAR;
		unsigned __int128 end = vecs[i].paddr;

		end += vecs[i].len;
		if (!vecs[i].len || vecs[i].paddr % PAGE_SIZE ||
		    (vecs[i].len % PAGE_SIZE && !partial))
			verdict |= INVALID;
		if (end > (unsigned __int128)1 << 64 || vecs[i].len > -PAGE_SIZE)
			verdict |= OVERFLOW;
		sum += ((unsigned __int128)vecs[i].len + PAGE_SIZE - 1) / PAGE_SIZE;
	}
	if (sum > BIT(51) - 1)
		verdict |= OVERFLOW;
	if (verdict & INVALID)
		model_must_fail(EINVAL);
	if (verdict & OVERFLOW)
		model_must_fail(EOVERFLOW);
	total_pages = verdict ? 0 : sum;
	return verdict;
}

static void make_segments(const struct phys_vec *vecs, unsigned long nr)
{
	unsigned long i, n = 0;
	u64 pos = 0;

	for (i = 0; i < nr; i++) {
		segments[n].phys = vecs[i].paddr;
		segments[n].npages = PFN_UP(vecs[i].len);
		segment_pos[n] = pos;
		pos += segments[n].npages;
		n += !!segments[n].npages;
	}
	segment_pos[n] = pos;
	nr_segments = n;
	segment_hint = 0;
}

static void make_pages(struct phys_vec *vecs, unsigned long nr)
{
	unsigned long i, n, room = MAX_PAGES;

	buffer.nr = 0;
	for (i = 0; i < nr; i++) {
		/* There is no array of pages that are not there. */
		vecs[i].paddr = (vecs[i].paddr & PAGE_MASK) % PFN_PHYS(P2P_END);
		vecs[i].len = min(vecs[i].len & PAGE_MASK, PFN_PHYS(room));
		vecs[i].len = min(vecs[i].len,
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
	}
}

static void setup_hardware(const struct header *head)
{
	shim = (struct shim_config) {
		.sections = head->config & 1,
		.sync = head->config & 2,
		.debug = head->config & 4,
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
		.map_ops = head->hw & 2,
		.need_unmap = head->hw & 5,
		.granule = head->hw & 8 ? 65536 : PAGE_SIZE,
		.bounce = head->hw & 16 ? head->bounce : 0,
		.bounce_from = head->bounce_from * 8,
		.mask = PICK(head->mask, U64_MAX, U64_MAX, BIT(57) - 1,
			     BIT(40) - 1, UINT_MAX, BIT(63) - 1, BIT(62) - 1),
		.max_mapping = PICK(head->max_mapping, SIZE_MAX, SIZE_MAX, 262144,
				    4096, 0, 100, 12287, BIT(32), BIT(40)),
		.dma_offset = get_u16(head->dma_offset) <<
			      PICK(head->hw >> 5, 12, 20, 32, 44, 48),
		.gap = PICK(head->gap, 0, 4096, 65536, BIT(32)),
		.sg_merge = PICK(head->sg_merge, 0, UINT_MAX & PAGE_MASK, 8192,
				 65536, BIT(22)),
		.fail_at = when(head->fail_at, head->fail_shift),
		.misalign = when(head->misalign, 0),
		.sync_fails = (head->flags & 0x30) == 0x30,
		.signal_at = when(head->signal_at, 0),
		.dir = head->dir % 3,
		.attrs = PICK(head->attrs, 0, DMA_ATTR_SKIP_CPU_SYNC,
			      DMA_ATTR_CC_SHARED, DMA_ATTR_WRITE_COMBINE),
	};
	if (head->flags & 64 && !hw.iommu && !hw.map_ops) {
		hw.identity_to = min(hw.mask, PICK(head->gap, BIT(61) - 1,
						   PFN_PHYS(RAM_END) - 1,
						   PFN_PHYS(head->bounce) - 1));
		/* What is beyond would wrap into it. */
		hw.dma_offset = 0;
	}
	model_reset();
}

/* Keeps what has to be cut to a number of parts that is worth the time. */
static void limit_parts(void)
{
	u64 max = max(hw.max_mapping >> PAGE_SHIFT, 1UL);

	if (total_pages > max * MAX_RUNS)
		hw.max_mapping = PFN_PHYS(total_pages / MAX_RUNS + 1);
	if (total_pages > BIT(31))
		hw.map_ops = false;
	while (total_pages >> shim.section_shift > 128)
		shim.section_shift++;
}

/* What the engine has to refuse although it is described well */
static void judge_memory(const struct phys_vec *vecs, unsigned long nr)
{
	bool bus = buffer.kind == KIND_BAR &&
		   buffer.attach.p2p.map_type == PCI_P2PDMA_MAP_BUS_ADDR;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		u64 start = vecs[i].paddr + buffer.provider.bus_offset;
		u64 last = start + vecs[i].len - 1;
		bool joined = i && vecs[i].paddr &&
			      vecs[i].paddr == vecs[i - 1].paddr + vecs[i - 1].len;

		if (buffer.has_pages && vecs[i].len && !is_system_run(&vecs[i]))
			model_must_fail(EINVAL);
		/* The addresses end before it, or in the run that it is part of. */
		if (bus && (last < start || last > hw.mask || (joined && !start)))
			model_must_fail(EREMOTEIO);
	}
}

static void setup_buffer(const struct header *head, struct input *in)
{
	static struct phys_vec vecs[MAX_RUNS];
	enum kind kind = head->kind % KIND_NR;
	unsigned long nr = decode_runs(in, head, vecs);
	bool table = kind == KIND_SGT || kind == KIND_COHERENT;
	unsigned int verdict = 0;

	buffer = (struct buffer) {
		.kind = kind,
		.nr = nr,
		.dmabuf.resv = &buffer.resv,
		.resv.held = true,
		.attach = {
			.dmabuf = &buffer.dmabuf,
			.dev = &hw.dev,
			.peer2peer = true,
			.p2p.owner = &hw.owner,
			.p2p.map_type = head->flags & 1 ?
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
		limit_runs(vecs, nr, UINT_MAX & PAGE_MASK);
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
	if (!buffer.has_pages && head->flags & 2)
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

static void spoil(unsigned int bad, struct device **dev,
		  enum dma_data_direction *dir, struct p2pdma_provider **provider)
{
	bool bar = buffer.kind == KIND_BAR;

	switch (bad) {
	case BAD_DEVICE:
		*dev = NULL;
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
		return model_must_fail(EREMOTEIO);
	case BAD_NO_PROVIDER:
		if (!bar)
			return;
		*provider = NULL;
		hw.may_warn = true;
		return model_must_fail(EINVAL);
	case BAD_OTHER_PROVIDER:
		if (!bar)
			return;
		buffer.provider.owner = &hw.dev;
		hw.may_warn = true;
		return model_must_fail(EINVAL);
	case BAD_ENTRY:
		if (!buffer.table.sgl)
			return;
		buffer.table.sgl[buffer.nr / 2].page = NULL;
		return model_must_fail(EINVAL);
	}
}

static struct dma_buf_list *build(unsigned int bad)
{
	struct p2pdma_provider *provider = &buffer.provider;
	enum dma_data_direction dir = hw.dir;
	unsigned long attrs = hw.attrs;
	struct device *dev = &hw.dev;

	spoil(bad, &dev, &dir, &provider);
	switch (buffer.kind) {
	case KIND_PAGES:
		return dma_buf_list_from_pages(dev, buffer.pages, buffer.nr, dir,
					       attrs);
	case KIND_RUNS:
		return dma_buf_list_from_runs(dev, buffer.vecs, buffer.nr, dir,
					      attrs);
	case KIND_SGT:
		return dma_buf_list_from_sgt(dev, &buffer.table, dir, attrs);
	case KIND_PHYS:
		return dma_buf_list_from_phys(dev, buffer.vecs, buffer.nr, dir,
					      attrs);
	case KIND_BAR:
		buffer.attach.dev = dev;
		hw.attrs |= DMA_ATTR_MMIO;
		return dma_buf_list_from_bar(&buffer.attach, provider,
					     buffer.vecs, buffer.nr, dir, attrs);
	default:
		hw.attrs = DMA_ATTR_SKIP_CPU_SYNC;
		return dma_buf_list_from_coherent(dev, &hw.owner, NULL, 0,
						  total_pages << PAGE_SHIFT, dir,
						  DMA_ATTR_WRITE_COMBINE);
	}
}

static void judge_error(int error)
{
	expect(error > 0 && error < 192 &&
	       hw.errors[error / 64] & BIT(error % 64), "error %d", error);
	expect(buffer.notes == (error == EREMOTEIO && buffer.attach.peer2peer));
}

/* The pages go where nothing needs them and forgetting them saves memory. */
static enum shown shown_from_now_on(const struct dma_buf_list *list,
				    enum shown shown)
{
	if (shown == SHOWN_NOT || buffer.granted)
		return shown;
	switch (dma_buf_list_route(list)) {
	case DMA_BUF_ROUTE_IOVA:
		return shim.sync ? SHOWN : SHOWN_NOT;
	case DMA_BUF_ROUTE_MAP_SG:
		return SHOWN_NOT;
	default:
		return SHOWN_MAYBE;
	}
}

static void use_list(struct dma_buf_list *list, const struct header *head,
		     const struct input *script)
{
	enum shown shown = buffer.has_pages ? SHOWN : SHOWN_NOT;

	if (head->flags & 4) {
		dma_buf_list_grant_pages(list);
		buffer.granted = buffer.has_pages || !total_pages;
	}
	check_list(list, shown, script);
	check_sync(list);
	hw.alloc_fail_at = head->alloc_fail_later ?
			   hw.allocs + head->alloc_fail_later : 0;
	check_bridge(list);
	if (head->flags & 8) {
		dma_buf_list_forget_pages(list);
		shown = shown_from_now_on(list, shown);
		check_list(list, shown, script);
		check_sync(list);
	}
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
	list = build(head->bad % (4 * BAD_NR));
	if (IS_ERR(list)) {
		judge_error(-PTR_ERR(list));
	} else {
		expect(list);
		expect(!hw.must_fail && !buffer.notes);
		use_list(list, head, in);
		dma_buf_list_free(list);
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
