// SPDX-License-Identifier: GPL-2.0-only
/*
 * What importers read besides ranges: the one address, segments in bytes, and tables
 * of their own. All of it is expected to be as the first pass over the list found it.
 * And what they map into an IOMMU domain, which is expected to be the memory.
 */
#include "fuzz.h"

#define IOVA		(1UL << 30)

/**
 * struct domain - in place of an IOMMU domain
 * @prot: what has to be mapped with
 * @pos: which part of the buffer it is, in bytes
 * @size: length of it
 * @max: longest that may be mapped at once
 * @mapped: how much of that is mapped
 * @synced: the IOMMU was told
 * @calls: number of calls that can fail
 * @fail_at: which of them does
 */
static struct {
	int prot;
	u64 pos;
	u64 size;
	u64 max;
	u64 mapped;
	bool synced;
	unsigned int calls;
	unsigned int fail_at;
} domain;

/* The longest piece from byte @pos on that has one address */
static u64 extent_at(u64 pos, u64 *addr)
{
	u64 page = pos >> PAGE_SHIFT;

	*addr = dma_at(page) + (pos & (PAGE_SIZE - 1));
	return (range_end_at(page) << PAGE_SHIFT) - pos;
}

static void check_contiguous(const struct dma_buf_list *list, u64 arg)
{
	size_t size = arg;
	dma_addr_t addr = 1;
	u64 len = 0, want = 0;
	int ret;

	if (total_pages)
		len = extent_at(0, &want);
	ret = dma_buf_list_contiguous(list, size, &addr);
	if (size && size <= len)
		expect(!ret && addr == want);
	else
		expect(ret == -EINVAL && addr == 1);
}

static void check_segments(const struct dma_buf_list *list, u64 pos, u64 size,
			   u64 max)
{
	u64 all = total_pages << PAGE_SHIFT, addr, left, len, want, n;
	struct dma_buf_segs segs;
	dma_addr_t dma;

	memset(&segs, 0xaa, sizeof(segs));
	dma_buf_segs_init(&segs, list, pos, size, max);
	pos = min(pos, all);
	left = min(size, all - pos);
	for (n = 0; n < 200 && (len = dma_buf_segs_next(&segs, &dma)); n++) {
		expect(left);
		want = min(extent_at(pos, &addr), left);
		want = max ? min(want, max) : want;
		expect(dma == addr && len == want);
		pos += len;
		left -= len;
	}
	if (n == 200)
		return;
	dma = 1;
	expect(!left && !dma_buf_segs_next(&segs, &dma) && dma == 1);
}

/* The longest entry at @addr that the device takes */
static u64 entry_max(u64 addr)
{
	u64 boundary = hw.dev.seg_boundary | (PAGE_SIZE - 1);
	u64 max = hw.dev.max_seg_size / PAGE_SIZE * PAGE_SIZE;

	max = max ? max : PAGE_SIZE;
	max = min(max, BIT_ULL(31));
	/* The next border, or none where that is the end of all addresses */
	return min(max - 1, (addr | boundary) - addr) + 1;
}

static void check_table(const struct dma_buf_list *list, u64 pgoff, u64 npages)
{
	u64 pos = pgoff << PAGE_SHIFT, left = npages << PAGE_SHIFT, addr, want;
	struct scatterlist *sg;
	struct sg_table sgt;
	unsigned int i;
	int ret;

	/* Each page may be an entry. */
	if (npages > 4 * MAX_PAGES && npages <= total_pages)
		return;
	if ((unsigned long)pgoff != pgoff || (unsigned long)npages != npages)
		return;
	ret = dma_buf_list_to_sgt(list, pgoff, npages, &sgt, GFP_KERNEL);
	if (!npages || pgoff > total_pages || npages > total_pages - pgoff) {
		expect(ret == -EINVAL);
		return;
	}
	if (ret) {
		expect(ret == -ENOMEM && hw.allocs >= hw.alloc_fail_at);
		return;
	}
	expect(sgt.nents == sgt.orig_nents);
	for_each_sgtable_dma_sg(&sgt, sg, i) {
		expect(left);
		want = min(extent_at(pos, &addr), left);
		want = min(want, entry_max(addr));
		expect(sg_dma_address(sg) == addr && sg_dma_len(sg) == want);
		expect(sg->length == want && !sg->offset && !sg_page(sg));
		pos += want;
		left -= want;
	}
	expect(!left);
	sg_free_table(&sgt);
}

/* What one byte more or less makes of a position is worth a look, too. */
static u64 choose_byte(struct input *in)
{
	u8 more = input_byte(in);

	return (choose_pos(in) << PAGE_SHIFT) +
	       PICK(more, 0, 0, 1, -1, PAGE_SIZE / 2, more * 16);
}

static u64 choose_max(struct input *in)
{
	u8 what = input_byte(in), arg = input_byte(in);

	return PICK(what, 0, U64_MAX, BIT_ULL(12 + arg % 30), arg + 1,
		    UINT_MAX & PAGE_MASK, PAGE_SIZE * (arg + 1ULL));
}

void check_importer(const struct dma_buf_list *list, struct input in)
{
	u64 pos, to;
	int n;

	check_contiguous(list, total_pages << PAGE_SHIFT);
	for (n = 0; n < 4; n++) {
		check_contiguous(list, choose_byte(&in));
		pos = choose_byte(&in);
		to = choose_byte(&in);
		check_segments(list, pos, n & 1 ? to : to - pos, choose_max(&in));
		pos = choose_pos(&in);
		to = choose_pos(&in);
		check_table(list, pos, n & 1 ? to : to - pos);
	}
	check_table(list, 0, total_pages);
}

int dma_buf_hw_iommu_map(struct iommu_domain *to, unsigned long iova,
			 phys_addr_t phys, size_t size, int prot, gfp_t gfp)
{
	u64 done, n, page, at;

	expect((void *)to == &domain && prot == domain.prot && gfp == GFP_KERNEL);
	expect(++hw.unpaused <= MAX_UNPAUSED);
	expect(iova == IOVA + domain.mapped && !domain.synced);
	expect(size && size <= domain.max && size <= domain.size - domain.mapped);
	if (++domain.calls == domain.fail_at)
		return -ENOMEM;
	for (done = 0; done < size; done += (n << PAGE_SHIFT) - (at & ~PAGE_MASK)) {
		at = domain.pos + domain.mapped + done;
		page = segment_at(at >> PAGE_SHIFT, &n);
		expect(page + (at & ~PAGE_MASK) == phys + done);
	}
	domain.mapped += size;
	return 0;
}

int dma_buf_hw_iommu_sync(struct iommu_domain *to, unsigned long iova,
			  size_t size)
{
	expect((void *)to == &domain && iova == IOVA && !domain.synced);
	expect(size == domain.size && domain.mapped == size);
	if (++domain.calls == domain.fail_at)
		return -EIO;
	domain.synced = true;
	return 0;
}

void dma_buf_hw_iommu_unmap(struct iommu_domain *to, unsigned long iova,
			    size_t size)
{
	expect((void *)to == &domain && iova == IOVA);
	expect(size && size == domain.mapped);
	domain.mapped = 0;
}

static int expected_of(const struct dma_buf_list *list, u64 pos, size_t size)
{
	u64 all = total_pages << PAGE_SHIFT;

	if (!size || pos > all || size > all - pos ||
	    size - 1 > ULONG_MAX - IOVA)
		return -EINVAL;
	if (list->route == DMA_BUF_ROUTE_BUS_ADDR || hw.again)
		return -EREMOTEIO;
	if (list->phys)
		return 0;
	/* Nobody asked for the runs to be kept, which is worth a warning. */
	expect(!buffer.attach.wants_runs);
	hw.may_warn = true;
	return -EINVAL;
}

static void check_domain_part(const struct dma_buf_list *list, u64 pos, u64 length,
			      unsigned int fail_at)
{
	bool device = hw.attrs & DMA_ATTR_MMIO, warn = hw.may_warn;
	typeof(hw.signal_at) signal_at = hw.signal_at;
	typeof(hw.pauses) pauses = hw.pauses;
	int want, ret;

	domain = (typeof(domain)) {
		.prot = IOMMU_READ | (device ? IOMMU_MMIO : IOMMU_CACHE),
		.pos = pos,
		.size = (size_t)length,
		/* Page by page, where that does not take for ever */
		.max = length <= 64 * PAGE_SIZE ? PAGE_SIZE : SIZE_MAX,
		.fail_at = fail_at,
	};
	hw.unpaused = 0;
	/* The signal is for mapping the buffer. */
	hw.signal_at = 0;
	want = expected_of(list, pos, length);
	ret = dma_buf_list_iommu_map(list, pos, length, domain.max, (void *)&domain, IOVA,
				     IOMMU_READ | IOMMU_CACHE, GFP_KERNEL);
	hw.may_warn = warn;
	hw.unpaused = 0;
	hw.signal_at = signal_at;
	hw.pauses = pauses;
	if (!want && domain.calls == domain.fail_at)
		expect((ret == -ENOMEM || ret == -EIO) && !domain.mapped);
	else
		expect(ret == want);
	if (ret)
		expect(!domain.mapped && !domain.synced);
	else
		expect(domain.mapped == domain.size && domain.synced);
}

/* Parts that begin and end where segments do, or somewhere */
void check_domain(const struct dma_buf_list *list, struct input in)
{
	u64 all = total_pages << PAGE_SHIFT, pos = 0, end;
	int i;

	check_domain_part(list, 0, all, 0);
	for (i = 0; i < 6; i++) {
		u8 what = input_byte(&in), more = input_byte(&in);

		end = nr_segments ?
		      segments[what % nr_segments].pos << PAGE_SHIFT : what;
		end += PICK(more, 0, 512, PAGE_SIZE, -512, PAGE_SIZE * (more / 8), all);
		check_domain_part(list, pos, end - pos, more / 16);
		pos = end;
	}
}

/* Of what was not mapped for a device nothing must be taken for DMA addresses. */
void check_no_addresses(const struct dma_buf_list *list)
{
	struct dma_buf_cursor cursor;
	struct dma_buf_segs segs;
	dma_addr_t addr = 1;
	struct sg_table sgt;

	cursor_init(&cursor, list);
	expect(!cursor_range(&cursor).npages);
	expect(!cursor_page(&cursor, &addr));
	expect(!cursor_block(&cursor, PAGE_SIZE, &addr));
	dma_buf_cursor_init_part(&cursor, list, 0, 1);
	expect(!cursor_page(&cursor, &addr));
	dma_buf_segs_init(&segs, list, 0, U64_MAX, 0);
	expect(!dma_buf_segs_next(&segs, &addr));
	expect(dma_buf_list_copy_addrs(list, &addr, 1) == -EINVAL);
	expect(dma_buf_list_contiguous(list, 1, &addr) == -EINVAL);
	expect(dma_buf_list_to_sgt(list, 0, 1, &sgt, GFP_KERNEL) == -EINVAL);
	expect(addr == 1);
}
